//! A component that uses Spin's interfaces of WASI 0.2 as it is told: what the host and Spin are compared with.
//!
//! A request's last path segment names the interface, its query the call: words that `&` separates. The answer is the
//! call's result as text. `echo` sends the request's body back as it comes, `fetch` fetches an address. A message from
//! Redis is added to the value of `messages` in the store `default`.

// Natively there is nobody to export to, and the exports' names are none that a linker takes.
#![cfg(target_family = "wasm")]

mod calls;
mod http;

use wasip2::http::types::{IncomingRequest, ResponseOutparam};

#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: [
            "../../host/wit/fermyon-spin",
            "../../host/wit/fermyon-inbound-redis",
            "../../host/wit/wasi-keyvalue",
            "../../host/wit/wasi-config",
        ],
        inline: "
            package anyturn:tests;
            world guest {
                import fermyon:spin/redis@2.0.0;
                import fermyon:spin/key-value@2.0.0;
                import fermyon:spin/variables@2.0.0;
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/batch@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
                import wasi:config/store@0.2.0-draft-2024-09-27;
                export fermyon:spin/inbound-redis;
            }
        ",
        world: "anyturn:tests/guest",
        generate_all,
    });

    use super::Guest;
    export!(Guest);
}

struct Guest;

wasip2::http::proxy::export!(Guest);

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let words: Vec<&str> = query.split('&').collect();
        let text = match path.rsplit('/').next() {
            Some("echo") => return http::echo(request, answer),
            Some("fetch") => http::fetch(words.first().unwrap_or(&"")),
            Some("redis") => calls::redis(&words),
            Some("key-value") => calls::key_value(&words),
            Some("keyvalue") => calls::wasi_keyvalue(&words),
            Some("variables") => calls::variables(words.first().unwrap_or(&"")),
            Some("config") => calls::config(&words),
            other => format!("cannot {other:?}"),
        };
        http::answer(answer, &text);
    }
}

impl bindings::exports::fermyon::spin::inbound_redis::Guest for Guest {
    fn handle_message(
        message: Vec<u8>,
    ) -> Result<(), bindings::exports::fermyon::spin::inbound_redis::Error> {
        use bindings::exports::fermyon::spin::inbound_redis::Error;
        use bindings::fermyon::spin2_0_0::key_value::Store;
        if let Some(address) = message.strip_prefix(b"get ") {
            http::fetch(&String::from_utf8_lossy(address));
            return Ok(());
        }
        let store = Store::open("default").map_err(|_| Error::Error)?;
        let mut messages = store
            .get("messages")
            .map_err(|_| Error::Error)?
            .unwrap_or_default();
        messages.extend(&message);
        store.set("messages", &messages).map_err(|_| Error::Error)
    }
}
