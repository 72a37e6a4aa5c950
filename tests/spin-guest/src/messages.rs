//! Messages from Redis.

// What the macro makes exports functions to the host.
#![allow(unsafe_code)]

use spin_sdk::key_value::{Error, Store};
use spin_sdk::redis_subscriber;

#[redis_subscriber]
async fn on_message(message: Vec<u8>) -> Result<(), String> {
    if message == b"fail" {
        return Err("as it was told".to_owned());
    }
    let failed = |error: Error| format!("{error:?}");
    let store = Store::open("default").await.map_err(failed)?;
    let mut messages = store.get("messages").await.map_err(failed)?.unwrap_or_default();
    messages.extend(&message);
    store.set("messages", messages).await.map_err(failed)
}
