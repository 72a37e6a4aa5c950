(component
  (import "wasi:http/types@0.2.0" (instance $any (export "f" (func))))
  (export "wasi:http/incoming-handler@0.2.0" (instance $any)))
