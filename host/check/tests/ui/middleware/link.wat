;; Passes requests on.
(component
  (import "wasi:http/handler@0.3.0" (instance $next (export "f" (func))))
  (import "spin:sqlite/sqlite@3.1.0" (instance (export "f" (func))))
  (export "wasi:http/handler@0.3.0" (instance $next)))
