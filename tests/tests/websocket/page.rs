//! A page's script, in a real browser: what a client without headers of its own can do.

use super::identified;
use anyturn_tests::browser::Driver;
use anyturn_tests::users::token;
use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// Says something, and gives all that is heard until the answer, and which subprotocol is spoken.
const SCRIPT: &str = r#"
const [token, message, done] = arguments;
const socket = new WebSocket(`ws://${location.host}/ws`, ["anyturn", `bearer.${token}`]);
const heard = [];
socket.onopen = () => socket.send(JSON.stringify({type: "message", data: {message}}));
socket.onclose = (event) => done({closed: event.code, heard});
socket.onmessage = ({data}) => {
    const told = JSON.parse(data);
    heard.push(told);
    if (told.type !== "progress") {
        socket.onclose = null;
        socket.close();
        done({protocol: socket.protocol, heard});
    }
};
"#;

#[tokio::test]
async fn a_page_hears_how_far_its_turn_is_and_then_the_answer() {
    let host = identified().env("APP_ASSISTANT", "inbox").start().await;
    let driver = Driver::start().await;
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(driver.capabilities())
        .connect(&driver.url())
        .await
        .unwrap();
    client.goto(&host.url("/")).await.unwrap();
    let arguments = vec![json!(token("ana")), json!("Archive all newsletters from today")];
    let told = client.execute_async(SCRIPT, arguments).await.unwrap();
    assert_eq!(told["protocol"], "anyturn", "{told}");
    let heard = told["heard"].as_array().unwrap();
    let (response, progress) = heard.split_last().unwrap();
    let stages: Vec<&Value> = progress.iter().map(|told| &told["data"]["stage"]).collect();
    assert!(
        stages.contains(&&json!("understanding")) && stages.contains(&&json!("working")),
        "{told}"
    );
    assert_eq!(
        (&response["type"], &response["data"]["requires_confirmation"]),
        (&json!("response"), &json!(true)),
        "{told}"
    );
}
