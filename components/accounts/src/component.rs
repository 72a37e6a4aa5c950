//! The component: [`Platform`] over WASI 0.3 and Spin, and nothing else.
#![allow(unsafe_code, reason = "the export that the macro generates")]

use std::pin::pin;

use anyturn_state::component::Imported;
use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::wasip3::http::types::ErrorCode;

use crate::answer::Response;
use crate::platform::{FETCH_TIMEOUT, FetchError, MAX_ANSWER, Platform};

/// What the host gives to this component.
struct World;

#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> Response {
    crate::handle(&World, request).await
}

impl Platform for World {
    type Store = Imported;

    fn store(&self) -> &Imported {
        &Imported
    }

    async fn variable(&self, name: &'static str) -> Result<String, String> {
        match variables::get(name).await {
            Ok(value) => Ok(value),
            // A manifest need not have every variable.
            Err(variables::Error::Undefined(_)) => Ok(String::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn now(&self) -> u64 {
        let now = system_clock::now();
        u64::try_from(now.seconds).unwrap_or(0) * 1000 + u64::from(now.nanoseconds) / 1_000_000
    }

    fn random(&self) -> Result<[u8; 32], String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    async fn sleep(&self, milliseconds: u64) {
        monotonic_clock::wait_for(milliseconds.saturating_mul(1_000_000)).await;
    }

    async fn fetch(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, FetchError> {
        let answer = pin!(fetch(request.map(Full::new)));
        let end = pin!(self.sleep(FETCH_TIMEOUT));
        match select(answer, end).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(FetchError::Timeout),
        }
    }
}

async fn fetch(request: http::Request<Full<Bytes>>) -> Result<http::Response<Bytes>, FetchError> {
    let answer = spin_sdk::http::send(request).await.map_err(|code| match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => FetchError::Denied,
        ErrorCode::ConnectionTimeout | ErrorCode::HttpResponseTimeout | ErrorCode::DnsTimeout => {
            FetchError::Timeout
        }
        _ => FetchError::Unreachable,
    })?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            FetchError::TooLarge
        } else {
            FetchError::Unreachable
        }
    })?;
    Ok(http::Response::from_parts(head, body.to_bytes()))
}
