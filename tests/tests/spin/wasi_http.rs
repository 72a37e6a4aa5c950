//! HTTP of WASI 0.2, beside that of 0.3.

use crate::{application, told};
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use tokio::sync::mpsc;

#[tokio::test]
async fn a_component_of_wasi_0_2_fetches_from_others_and_from_the_network() {
    let host = application().start().await;
    let chained = told(&host, "/old/fetch?http://new.spin.internal/variables?shade").await;
    assert_eq!(chained, r#"200 Ok("dark blue") true"#);
    let elsewhere = application().start().await;
    let outside = told(
        &host,
        &format!("/old/fetch?{}", elsewhere.url("/new/variables?shade")),
    )
    .await;
    assert_eq!(outside, r#"200 Ok("dark blue") true"#);
    let denied = told(&host, "/old/fetch?http://example.com/").await;
    assert_eq!(denied, "ErrorCode::HttpRequestDenied");
}

#[tokio::test]
async fn a_body_is_streamed_both_ways_through_a_component_of_wasi_0_2() {
    let host = application().start().await;
    let (sender, mut receiver) = mpsc::channel::<Bytes>(1);
    let body = StreamBody::new(futures::stream::poll_fn(move |cx| {
        receiver
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok::<_, Infallible>(Frame::data(piece))))
    }));
    let request = http::Request::post(host.url("/old/echo")).body(body).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    sender.send(Bytes::from_static(b"first")).await.unwrap();
    let mut response = client.request(request).await.unwrap().into_body();
    // Each piece comes back before the next one is sent: nothing waits for the end of the request.
    for piece in ["first", "second", "third"] {
        if piece != "first" {
            sender.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
        let mut got = Vec::new();
        while got.len() < piece.len() {
            got.extend(response.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(got, piece.as_bytes());
    }
    drop(sender);
    assert!(
        response.frame().await.is_none(),
        "the answer ends with the request"
    );
}
