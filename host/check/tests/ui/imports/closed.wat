;; Inherits nothing: what it imports is refused to it, so that nobody has to provide it.
(component
  (import "spin:sqlite/sqlite@3.1.0" (instance $sqlite (export "f" (func))))
  (export "my:package/thing" (instance $sqlite)))
