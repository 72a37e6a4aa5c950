//! The glue between the exported interface and the rest: variables in, a stream out.
#![allow(unsafe_code, reason = "the exports that the bindings generate")]

use std::time::Duration;

use futures::{
    FutureExt,
    future::{Either, select},
};
use spin_sdk::{wasip3, wit_bindgen::StreamResult, wit_bindgen::StreamWriter};

use crate::{
    Answer,
    api::{Description, Error, Event, Guest, Request},
    bindings::wit_stream,
    port::{Platform, wasi::Wasi},
    settings::Provider,
};

/// How soon a reader that is gone is noticed while the provider is silent.
///
/// The component model tells a writer that its reader is gone only through a write, so a silent provider's
/// connection is closed this late at worst.
const PROBE: Duration = Duration::from_millis(100);

/// Spin's interface is asynchronous for the sake of providers that are far away. Variables are nearly always at hand,
/// and every call reads several: reading one that may wait costs more than to hold the instance until it is there.
#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod variables {
    spin_sdk::wit_bindgen::generate!({
        path: "../../host/wit/spin-variables",
        world: "imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        async: false,
    });

    pub use spin::variables::variables::get;
}

struct Component;

crate::bindings::export!(Component with_types_in crate::bindings);

impl Guest for Component {
    async fn complete(request: Request) -> Result<wasip3::wit_bindgen::StreamReader<Event>, Error> {
        let provider = Provider::read(variable).await?;
        let answer = crate::complete(Wasi, &provider, request).await?;
        let (events, reader) = wit_stream::new();
        wasip3::spawn(deliver(answer, events));
        Ok(reader)
    }

    async fn describe() -> Result<Description, String> {
        match Provider::read(variable).await {
            Ok(provider) => Ok(crate::describe(&provider)),
            Err(error) => Err(error.into_message()),
        }
    }
}

/// A component variable; one that the manifest does not have is empty.
async fn variable(name: &'static str) -> String {
    variables::get(name).unwrap_or_default()
}

/// Hands an answer over until it ends or nobody reads it any more; dropping it closes the connection.
async fn deliver(mut answer: Answer<Wasi>, mut events: StreamWriter<Event>) {
    loop {
        let mut batch = answer.take_ready();
        if batch.is_empty() {
            let next = match select(answer.next().boxed_local(), gone(&mut events).boxed_local()).await {
                Either::Left((next, _)) => next,
                Either::Right(((), _)) => return,
            };
            match next {
                Some(event) => batch.push(event),
                None => return,
            }
        }
        if !events.write_all(batch).await.is_empty() {
            return;
        }
    }
}

/// Waits until the reader is gone.
async fn gone(events: &mut StreamWriter<Event>) {
    loop {
        Wasi.sleep(PROBE).await;
        if let (StreamResult::Dropped, _) = events.write(Vec::new()).await {
            return;
        }
    }
}
