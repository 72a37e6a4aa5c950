;; Inherits everything, of which the host has not all.
(component
  (import "spin:sqlite/sqlite@3.1.0" (instance $sqlite (export "f" (func))))
  (export "my:other/thing@1.0.0" (instance $sqlite)))
