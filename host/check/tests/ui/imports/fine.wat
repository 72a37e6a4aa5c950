;; What the host provides, and types, which nobody has to provide.
(component
  (import "nobody:provides/types" (instance $names (export "name" (type (eq 0)))
    (type $name string) ))
  (import "wasi:io/streams@0.2.3" (instance (export "stream" (type (sub resource)))))
  (import "spin:key-value/key-value@3.0.0" (instance (export "store" (type (sub resource)))))
  (import "wasi:http/types@0.2.0" (instance $types (export "f" (func))))
  (export "wasi:http/incoming-handler@0.2.0" (instance $types)))
