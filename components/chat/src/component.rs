//! The component: [`crate::platform::Platform`] over WASI and Spin, and nothing else.
#![allow(unsafe_code, reason = "the export that the macro generates")]

mod files;
mod incoming;
mod model;
mod variables;
mod watch;
mod wire;
mod world;

use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};

/// What `wasi:http` calls. The SDK's `#[http_service]` would convert all of every request first; this takes it as it
/// comes.
struct Component;

spin_sdk::wasip3::http::service::export!(Component with_types_in spin_sdk::wasip3);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let request = wire::incoming(request);
        let world = world::World::of(&request);
        let answering = crate::handle::handle(&world, request);
        Ok(wire::outgoing(world.clock().around(answering).await))
    }
}
