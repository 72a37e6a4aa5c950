//! Messages from Redis.

// What the macro makes exports functions to the host.
#![allow(unsafe_code)]

use spin_sdk::http::{EmptyBody, Request};
use spin_sdk::key_value::{Error, Store};
use spin_sdk::redis_subscriber;

#[redis_subscriber]
async fn on_message(message: Vec<u8>) -> Result<(), String> {
    if message == b"fail" {
        return Err("as it was told".to_owned());
    }
    if let Some(address) = message.strip_prefix(b"get ") {
        let address = String::from_utf8_lossy(address);
        let request = Request::get(&*address).body(EmptyBody::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = spin_sdk::http::send(request).await;
        return answer.map(drop).map_err(|error| format!("{error:?}"));
    }
    let failed = |error: Error| format!("{error:?}");
    let store = Store::open("default").await.map_err(failed)?;
    let mut messages = store.get("messages").await.map_err(failed)?.unwrap_or_default();
    messages.extend(&message);
    store.set("messages", messages).await.map_err(failed)
}
