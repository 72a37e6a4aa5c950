(component
  (import "wasi:random/random@0.2.0" (instance $any (export "f" (func))))
  (export "wasi:http/incoming-handler@0.2.3" (instance $any)))
