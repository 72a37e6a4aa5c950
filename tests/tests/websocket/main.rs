//! The WebSocket in front of the app's API, through the real binary and with a real client.

mod client;
mod endings;
mod hostile;
mod page;
mod slow;
mod traces;

use anyturn_tests::cluster::{ASSISTANT, Cluster};
use anyturn_tests::hold::Hold;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::plan::Plan;
use anyturn_tests::process::Signal;
use anyturn_tests::users::{SECRET, now, signed, token};
use client::Socket;
use serde_json::{Value, json};

/// A host whose app talks to the tasks assistant.
async fn host() -> Host {
    HostBuilder::new().env("APP_ASSISTANT", "tasks").start().await
}

/// A host that people sign in at.
fn identified() -> HostBuilder {
    HostBuilder::new()
        .env("APP_ASSISTANT", "tasks")
        .env("JWT_SECRET", SECRET)
}

/// Hosts whose model can be held.
async fn cluster() -> Cluster {
    Cluster::start()
        .await
        .env("APP_ASSISTANT", ASSISTANT)
        .env("TURN_LEASE_MS", "1000")
}

fn plan(answer: &str) -> Plan {
    Plan {
        answer: answer.to_owned(),
        ..Plan::default()
    }
}

fn session(message: &Value) -> String {
    message["data"]["session_id"].as_str().unwrap().to_owned()
}

/// A conversation whose second turn waits for its model.
struct Halfway {
    socket: Socket,
    /// What the first turn was answered with.
    first: Value,
    session: String,
    hold: Hold,
}

async fn halfway(cluster: &Cluster, host: &Host) -> Halfway {
    let mut socket = Socket::open(host, "").await;
    socket.say(&plan("first").message()).await;
    let first = socket.answer().await;
    let session = session(&first);
    let second = plan("second");
    let hold = cluster.holds.place(second.asking(0));
    socket.say(&second.message()).await;
    hold.reached().await;
    Halfway {
        socket,
        first,
        session,
        hold,
    }
}

/// Waits until the second turn of a conversation is a part of it, and has said what it was to say.
async fn second_is_said(host: &Host, session: &str) {
    let path = format!("/api/chat/session/{session}");
    loop {
        let (status, read) = anyturn_tests::json_of(host.get(&path)).await;
        let said = read["conversationHistory"].as_array().unwrap();
        if said.len() == 4 {
            assert_eq!((status.as_u16(), &said[3]["content"]), (200, &json!("second")));
            return;
        }
    }
}

#[tokio::test]
async fn a_conversation_goes_on_over_one_connection_and_over_http_beside_it() {
    let host = host().await;
    let mut socket = Socket::open(&host, "").await;
    socket.say("add buy milk").await;
    let added = socket.answer().await;
    assert_eq!(
        (&added["type"], &added["data"]["success"]),
        (&json!("response"), &json!(true)),
        "{added}"
    );
    assert!(
        added["id"].is_string() && added["session_id"] == added["data"]["session_id"],
        "{added}"
    );
    // The connection is the session's from then on.
    socket.say("delete buy milk").await;
    let asked = socket.answer().await;
    assert_eq!(session(&asked), session(&added));
    assert_eq!(asked["data"]["requires_confirmation"], true, "{asked}");
    assert_eq!(
        asked["data"]["confirmation_context"]["action"], "delete_task",
        "{asked}"
    );
    let body = json!({"message": "yes", "session_id": session(&asked)});
    let (_, done) = anyturn_tests::json_of(host.post("/api/chat/process", &body)).await;
    assert_eq!(done["metadata"]["tools_used"], json!(["delete_task"]), "{done}");
    let metrics = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    for line in [
        "anyturn_websockets_open 1",
        "anyturn_websocket_messages_total{direction=\"in\"} 2",
        "anyturn_websocket_messages_total{direction=\"out\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn what_is_not_understood_is_told_and_the_connection_stays() {
    let host = host().await;
    let mut socket = Socket::open(&host, "").await;
    for (message, error) in [
        (json!({"type": "dance", "data": {}}), "unknown-type"),
        (json!({"data": {"message": "hi"}}), "malformed-message"),
        (json!([1]), "malformed-message"),
        (json!({"type": "message", "data": {}}), "invalid-request"),
        (
            json!({"type": "message", "data": {"message": "hi", "session_id": "ses_0"}}),
            "unknown-session",
        ),
    ] {
        socket.send(message.clone()).await;
        let told = socket.answer().await;
        assert_eq!(
            (&told["type"], &told["data"]["error"]),
            (&json!("error"), &json!(error)),
            "{message}"
        );
    }
    socket.say("add buy milk").await;
    assert_eq!(socket.answer().await["type"], "response");
}

#[tokio::test]
async fn the_same_id_does_not_say_it_twice() {
    let host = host().await;
    let mut socket = Socket::open(&host, "").await;
    socket.say("add buy milk").await;
    let first = socket.answer().await;
    let keyed = json!({"type": "message", "id": "k1", "data": {"message": "add call mum"}});
    socket.send(keyed.clone()).await;
    let once = socket.answer().await;
    socket.send(keyed).await;
    let twice = socket.answer().await;
    assert_eq!(
        (&once["id"], &once["data"]["message"]),
        (&twice["id"], &twice["data"]["message"])
    );
    let path = format!("/api/session/{}", session(&first));
    let (_, read) = anyturn_tests::json_of(host.get(&path)).await;
    assert_eq!(read["message_count"], 4, "{read}");
}

#[tokio::test]
async fn whoever_cannot_say_who_they_are_gets_no_connection_and_no_token_is_logged() {
    let host = identified().env("RUST_LOG", "debug").start().await;
    let good = token("ana");
    for (query, headers) in [
        (String::new(), vec![]),
        ("token=abc.def.ghi".to_owned(), vec![]),
        (String::new(), vec![("authorization", "Bearer nonsense")]),
        (
            String::new(),
            vec![("sec-websocket-protocol", "anyturn, bearer.nonsense")],
        ),
    ] {
        let refused = Socket::attempt(&host, &query, &headers).await.err().unwrap();
        assert_eq!(refused.status(), 401, "{query} {headers:?}");
        let body: Value = serde_json::from_slice(refused.body().as_deref().unwrap()).unwrap();
        assert_eq!(body["error"], "unauthorized", "{body}");
    }
    let bearer = format!("Bearer {good}");
    let protocol = format!("anyturn, bearer.{good}");
    let query = format!("token={good}");
    for (query, headers, spoken) in [
        (query.as_str(), vec![], None),
        ("", vec![("authorization", bearer.as_str())], None),
        (
            "",
            vec![("sec-websocket-protocol", protocol.as_str())],
            Some("anyturn"),
        ),
    ] {
        let Ok((mut socket, answer)) = Socket::attempt(&host, query, &headers).await else {
            panic!("{headers:?} is let in")
        };
        let chosen = answer.headers().get("sec-websocket-protocol");
        assert_eq!(chosen.map(|name| name.to_str().unwrap()), spoken);
        socket.say("add buy milk").await;
        assert_eq!(socket.answer().await["type"], "response");
    }
    let log = host.log();
    assert!(
        !log.contains(&good) && !log.contains("abc.def.ghi"),
        "no token is in the log"
    );
}

#[tokio::test]
async fn nobody_hears_anothers_session() {
    let host = identified().start().await;
    let mut ana = Socket::open(&host, &format!("token={}", token("ana"))).await;
    ana.say("add buy milk").await;
    let heard = ana.answer().await;
    let (turn, _) = heard["id"].as_str().unwrap().split_once('.').unwrap();
    let query = format!("token={}&session_id={}", token("bob"), session(&heard));
    for query in [query.clone(), format!("{query}&last_event_id={turn}.0.0")] {
        let mut bob = Socket::open(&host, &query).await;
        let told = bob.answer().await;
        assert_eq!(
            (&told["type"], told["data"].get("message_count")),
            (&json!("error"), None),
            "{told}"
        );
        bob.say("what is on my list?").await;
        assert_eq!(bob.answer().await["data"]["error"], "unknown-session");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_and_a_listed_one_is_not() {
    let host = identified()
        .env("CORS_ORIGINS", "https://app.example")
        .start()
        .await;
    let query = format!("token={}", token("ana"));
    let from = async |origin: &str| Socket::attempt(&host, &query, &[("origin", origin)]).await;
    assert_eq!(from("https://evil.example").await.err().unwrap().status(), 403);
    assert!(from("https://app.example").await.is_ok());
    assert!(from(&format!("http://127.0.0.1:{}", host.port())).await.is_ok());
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_what_is_here() {
    let host = host().await;
    let answer = host.get("/ws").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["upgrade"]),
        (426, &"websocket".parse().unwrap())
    );
}

#[tokio::test]
async fn what_was_missed_is_heard_after_the_last_event_and_nothing_twice() {
    let cluster = cluster().await;
    let host = cluster.instance().await;
    let Halfway {
        socket,
        first,
        session,
        hold,
    } = halfway(&cluster, &host).await;
    drop(socket);
    drop(hold);
    // Whether it has ended by now or not, a turn is heard once from where it began.
    let events = format!("/api/chat/session/{session}/events");
    let mut back = Socket::open(&host, &format!("session_id={session}")).await;
    second_is_said(&host, &session).await;
    back.say(&plan("third").message()).await;
    let mut heard = Vec::new();
    while heard.last() != Some(&json!("third")) {
        heard.push(back.answer().await["data"]["message"].clone());
    }
    assert!(
        heard.len() <= 2 && heard.iter().all(|text| *text != json!("first")),
        "{heard:?}"
    );
    // By the id of an event, a turn that has ended is heard again from there.
    let id = first["id"].as_str().unwrap();
    let (turn, _) = id.split_once('.').unwrap();
    let mut late = Socket::open(&host, &format!("session_id={session}&last_event_id={turn}.0.0")).await;
    let again = late.answer().await;
    assert_eq!(
        (&again["id"], &again["data"]["message"]),
        (&first["id"], &first["data"]["message"])
    );
    let nothing = host
        .get(&events)
        .header("last-event-id", id)
        .send()
        .await
        .unwrap();
    assert_eq!(nothing.status(), 204);
}

#[tokio::test]
async fn a_turn_whose_host_is_killed_is_heard_to_its_end_on_another() {
    let cluster = cluster().await;
    let (one, other) = (cluster.instance().await, cluster.instance().await);
    // The client stays connected, and the model is held, until the test has ended.
    let Halfway {
        socket: _socket,
        session,
        hold: _hold,
        ..
    } = halfway(&cluster, &one).await;
    one.kill().await;
    let mut back = Socket::open(&other, &format!("session_id={session}")).await;
    let heard = back.answer().await;
    assert_eq!(
        (&heard["type"], &heard["data"]["message"]),
        (&json!("response"), &json!("second")),
        "{heard}"
    );
}

#[tokio::test]
async fn a_host_that_is_told_to_stop_lets_the_running_turn_answer_and_says_so() {
    let cluster = cluster().await;
    let mut host = cluster.instance().await;
    let mut idle = Socket::open(&host, "").await;
    let mut busy = Socket::open(&host, "").await;
    let plan = plan("answered");
    let hold = cluster.holds.place(plan.asking(0));
    busy.say(&plan.message()).await;
    hold.reached().await;
    host.signal(Signal::Term);
    assert_eq!(idle.closed().await, 1001);
    busy.say("more").await;
    assert_eq!(busy.answer().await["data"]["error"], "going-away");
    drop(hold);
    assert_eq!(busy.answer().await["data"]["message"], "answered");
    assert_eq!(busy.closed().await, 1001);
    assert!(host.end().await.success());
}

#[tokio::test]
async fn credentials_that_run_out_close_the_connection() {
    let host = identified().start().await;
    // A minute is allowed for clocks that differ.
    let claims = json!({"sub": "ana", "exp": now() - 57});
    let token = signed(&json!({"alg": "HS256", "typ": "JWT"}), &claims, SECRET);
    let mut socket = Socket::open(&host, &format!("token={token}")).await;
    assert_eq!(socket.closed().await, 4401);
}
