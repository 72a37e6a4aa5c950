//! Opens a component's view of `anyturn:state` to tests: one HTTP request, one call.
//!
//! `POST /` with a [`Call`] as JSON is answered with the call's `Result` as JSON. Whatever provides the
//! import, the host or a component that it was composed with, meets the conformance suite this way.

use anyturn_state::{NewJob, Query, Write};
use serde::{Deserialize, Serialize};

/// One call of `anyturn:state`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Call {
    Read {
        scope: String,
        queries: Vec<Query>,
    },
    Commit {
        scope: String,
        writes: Vec<Write>,
        queries: Vec<Query>,
    },
    Watch {
        scope: String,
        journal: String,
        start: u64,
        limit: u32,
        timeout: u64,
    },
    Enqueue {
        queue: String,
        job: NewJob,
    },
    Claim {
        queue: String,
        limit: u32,
        visibility: u64,
    },
    Extend {
        queue: String,
        id: String,
        receipt: u64,
        visibility: u64,
    },
    Acknowledge {
        queue: String,
        id: String,
        receipt: u64,
    },
    Retry {
        queue: String,
        id: String,
        receipt: u64,
        delay: u64,
        reason: String,
    },
    DeadLetters {
        queue: String,
        offset: u32,
        limit: u32,
    },
    Replay {
        queue: String,
        id: String,
    },
    Depth {
        queue: String,
    },
}

#[cfg(target_family = "wasm")]
mod component {
    use super::Call;
    use anyturn_state::component::Imported;
    use anyturn_state::{Error, Queue as _, Store as _};
    use bytes::Bytes;
    use http::{Response, StatusCode};
    use http_body_util::{BodyExt as _, Full};
    use serde::Serialize;
    use spin_sdk::http::Request;

    #[spin_sdk::http_service]
    async fn handle(request: Request) -> Result<Response<Full<Bytes>>, spin_sdk::http::Error> {
        let body = request.into_body().collect().await?.to_bytes();
        let mut response = Response::new(Full::new(Bytes::new()));
        match serde_json::from_slice(&body) {
            Ok(call) => *response.body_mut() = Full::new(answer(call).await),
            Err(error) => {
                *response.status_mut() = StatusCode::BAD_REQUEST;
                *response.body_mut() = Full::new(Bytes::from(error.to_string()));
            }
        }
        Ok(response)
    }

    async fn answer(call: Call) -> Bytes {
        let state = Imported;
        match call {
            Call::Read { scope, queries } => encode(state.read(&scope, queries).await),
            Call::Commit {
                scope,
                writes,
                queries,
            } => encode(state.commit(&scope, writes, queries).await),
            Call::Watch {
                scope,
                journal,
                start,
                limit,
                timeout,
            } => encode(state.watch(&scope, &journal, start, limit, timeout).await),
            Call::Enqueue { queue, job } => encode(state.enqueue(&queue, job).await),
            Call::Claim {
                queue,
                limit,
                visibility,
            } => encode(state.claim(&queue, limit, visibility).await),
            Call::Extend {
                queue,
                id,
                receipt,
                visibility,
            } => encode(state.extend(&queue, &id, receipt, visibility).await),
            Call::Acknowledge { queue, id, receipt } => encode(state.acknowledge(&queue, &id, receipt).await),
            Call::Retry {
                queue,
                id,
                receipt,
                delay,
                reason,
            } => encode(state.retry(&queue, &id, receipt, delay, &reason).await),
            Call::DeadLetters { queue, offset, limit } => {
                encode(state.dead_letters(&queue, offset, limit).await)
            }
            Call::Replay { queue, id } => encode(state.replay(&queue, &id).await),
            Call::Depth { queue } => encode(state.depth(&queue).await),
        }
    }

    fn encode<T: Serialize>(result: Result<T, Error>) -> Bytes {
        serde_json::to_vec(&result).map_or_else(|_| Bytes::new(), Bytes::from)
    }
}
