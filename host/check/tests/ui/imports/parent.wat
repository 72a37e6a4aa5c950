;; Its imports are its dependencies' to provide.
(component
  (import "my:package/thing" (instance (export "f" (func))))
  (import "my:other/thing@1.0.0" (instance (export "f" (func))))
  (import "wasi:http/types@0.3.0" (instance $types (export "f" (func))))
  (export "wasi:http/handler@0.3.0" (instance $types)))
