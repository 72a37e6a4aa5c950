(component
  (import "wasi:random/random@0.2.0" (instance $any (export "f" (func))))
  (export "spin:redis/inbound-redis@3.0.0" (instance $any)))
