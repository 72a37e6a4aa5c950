(component
  (import "wasi:http/types@0.3.0" (instance $any (export "f" (func))))
  (export "wasi:http/handler@0.3.0" (instance $any)))
