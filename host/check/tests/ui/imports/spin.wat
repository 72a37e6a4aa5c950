;; Everything that Spin provides and this host does not, and some that nobody does.
(component
  (type $t (instance (export "f" (func))))
  (import "spin:sqlite/sqlite@3.1.0" (instance (type $t)))
  (import "fermyon:spin/llm@2.0.0" (instance (type $t)))
  (import "fermyon:spin/postgres@2.0.0" (instance (type $t)))
  (import "spin:mysql/mysql@3.0.0" (instance (type $t)))
  (import "spin:mqtt/mqtt@3.0.0" (instance (type $t)))
  (import "wasi:otel/tracing@0.2.0-rc.2" (instance (type $t)))
  (import "wasi:http/types@0.2.0-rc-2023-10-18" (instance (type $t)))
  (import "fermyon:spin/redis" (instance (type $t)))
  (import "my:package/thing" (instance (type $t)))
  (import "wasi:http/types@0.3.0" (instance $types (type $t)))
  (export "wasi:http/handler@0.3.0" (instance $types)))
