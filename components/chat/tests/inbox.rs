//! The assistant `inbox` of this application, whole but for the host: its files, its tools with their demo data, and
//! the offline model. It is Friday, 20 November 2026, 11:00 in Berlin.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that is wrong should panic"
)]

#[path = "inbox/model.rs"]
mod model;
#[path = "inbox/recorded.rs"]
mod recorded;
mod support;

use anyturn_calendar::Calendars;
use anyturn_chat::platform::SendError;
use anyturn_contacts::Contacts;
use anyturn_email::Email;
use anyturn_tool_sdk::{Toolbox, serve};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use support::{Reply, World};

/// 2026-11-20T10:00:00Z.
const NOW: u64 = 1_795_168_800_000;

/// A user's conversation with the assistant.
struct Inbox {
    world: World,
    session: Option<String>,
}

impl Inbox {
    fn new() -> Self {
        let world = World::new();
        world.environment.now.set(NOW);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assistants");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        for name in [
            "inbox.toml",
            "inbox/understand.md",
            "inbox/interpret.md",
            "inbox/reassess.md",
            "inbox/update.md",
        ] {
            world.put(&format!("/assistants/{name}"), &read(name));
        }
        let email = Email::new(world.store.namespace("email"), model::NoNetwork).with_clock(|| NOW);
        let calendar = Calendars::new(world.store.namespace("calendar"), model::NoNetwork).with_clock(|| NOW);
        let contacts = Contacts::new(world.store.namespace("contacts"), model::NoNetwork).with_clock(|| NOW);
        world.on_send(move |request| {
            let host = request.uri().host().unwrap_or_default().to_owned();
            let request = request.map(Full::new);
            Ok(match host.as_str() {
                "email.spin.internal" => answered(&email, request),
                "calendar.spin.internal" => answered(&calendar, request),
                "contacts.spin.internal" => answered(&contacts, request),
                other => return Err(SendError::NotSent(format!("there is no {other}"))),
            })
        });
        Self { world, session: None }
    }

    /// One with the offline model.
    fn offline() -> Self {
        let inbox = Self::new();
        *inbox.world.model.otherwise.borrow_mut() = Some(std::rc::Rc::new(model::offline));
        inbox
    }

    fn send(&mut self, message: &str) -> Reply {
        let path = match &self.session {
            Some(session) => format!("/v1/sessions/{session}/turns"),
            None => "/v1/assistants/inbox/turns".to_owned(),
        };
        self.world.post(
            &path,
            &json!({"message": message, "timezone": "Europe/Berlin"}).to_string(),
        )
    }

    /// Says something, and gives the turn.
    fn say(&mut self, message: &str) -> Value {
        let reply = self.send(message);
        assert_eq!(reply.status, 200, "{message}: {reply:?}");
        let turn = reply.json();
        self.session = Some(turn["session"].as_str().unwrap().to_owned());
        turn
    }

    fn state(&self) -> Value {
        self.world
            .get(&format!("/v1/sessions/{}", self.session.as_ref().unwrap()))
            .json()["state"]
            .clone()
    }
}

/// Asks a tool server.
fn answered<T: Toolbox>(tools: &T, request: http::Request<Full<Bytes>>) -> http::Response<Full<Bytes>> {
    let (head, body) = at_once(serve(tools, request)).into_parts();
    let body = at_once(body.collect()).unwrap().to_bytes();
    http::Response::from_parts(head, Full::new(body))
}

/// What comes of something that waits for nothing but its turn, within an executor that may not be entered again.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("a tool waits");
}

fn content(turn: &Value) -> &str {
    turn["message"]["content"].as_str().unwrap()
}

fn called(turn: &Value) -> Vec<&str> {
    turn["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["tool"].as_str().unwrap())
        .collect()
}

#[test]
fn newsletters_are_found_asked_about_archived_and_brought_back() {
    let mut inbox = Inbox::offline();
    let asked = inbox.say("Archive all newsletters from today");
    assert_eq!(asked["state"], "waiting", "{asked}");
    assert!(
        content(&asked).contains("23") && content(&asked).ends_with("Say yes or no."),
        "{}",
        content(&asked)
    );
    assert_eq!(asked["gates"][0]["count"], 23, "{asked}");
    let ids = asked["gates"][0]["arguments"]["ids"].as_array().unwrap().clone();
    assert_eq!(ids.len(), 23);
    assert!(
        ids.iter()
            .all(|id| !content(&asked).contains(id.as_str().unwrap()))
    );
    assert!(inbox.state()["agents"][0]["pending_action"]["gate"].is_string());

    let done = inbox.say("yes");
    assert_eq!(done["turn"], asked["turn"]);
    assert_eq!(done["state"], "finished", "{done}");
    let archived = &done["tool_calls"][1];
    assert_eq!(
        (&archived["tool"], &archived["arguments"]["ids"]),
        (&json!("archive_emails"), &json!(ids))
    );
    assert_eq!(archived["is_error"], false);

    let undone = inbox.say("undo");
    assert_eq!(undone["state"], "finished", "{undone}");
    assert_eq!(undone["undo"]["items"][0]["undone"], true, "{undone}");
    // All of them are back.
    let again = inbox.say("Archive all newsletters from today");
    assert_eq!(again["gates"][0]["count"], 23, "{again}");
    let no = inbox.say("no");
    assert_eq!(no["gates"][0]["state"], "denied");
    assert_eq!(called(&no).len(), 2);
}

#[test]
fn what_was_found_is_there_in_the_next_turn() {
    let mut inbox = Inbox::offline();
    let found = inbox.say("find emails from Sarah this week");
    assert_eq!(called(&found), ["search_emails"], "{found}");
    assert!(content(&found).contains("Sarah Chen"), "{}", content(&found));
    let second = found["tool_calls"][0]["result"]["emails"][1].clone();

    let reply = inbox.say("reply to the second one saying I will be there");
    assert_eq!(reply["state"], "waiting", "{reply}");
    let gate = &reply["gates"][0];
    assert_eq!(
        (&gate["tool"], &gate["arguments"]["id"]),
        (&json!("reply_to_email"), &second["id"])
    );
    assert_eq!(gate["arguments"]["body"], "I will be there");
    assert_eq!(
        content(&reply),
        "- body: I will be there\n\nReply to an email? This cannot be undone. Say yes or no."
    );
    let sent = inbox.say("yes");
    assert_eq!(
        (
            sent["state"].as_str(),
            sent["tool_calls"][0]["is_error"].as_bool()
        ),
        (Some("finished"), Some(false)),
        "{sent}"
    );

    inbox.say("open the second one");
    let forward = inbox.say("forward it to marcus");
    let gate = &forward["gates"][0];
    assert_eq!(
        gate["arguments"]["to"],
        json!(["marcus.webb@northwind.example"]),
        "{forward}"
    );
    assert_eq!(inbox.say("yes")["state"], "finished");
}

#[test]
fn the_app_is_told_what_is_kept_in_mind_in_its_own_words() {
    let mut inbox = Inbox::offline();
    inbox.say("Archive all newsletters from today");
    let read = |inbox: &Inbox| {
        let session = inbox.session.as_ref().unwrap();
        inbox.world.get(&format!("/api/chat/session/{session}")).json()
    };
    let asked = read(&inbox);
    let email = &asked["state"]["agents"][0];
    assert_eq!(email["agent"], "email", "{asked}");
    assert_eq!(
        email["pending_action"],
        json!({"action": "archive_emails", "count": 23, "risk_level": asked["confirmation_context"]["risk_level"]})
    );
    assert_eq!(asked["state"]["command_list"][0]["status"], "waiting", "{asked}");

    inbox.say("yes");
    let (app, native) = (read(&inbox), inbox.state());
    // What does not wait is the same in both dialects.
    assert_eq!(app["state"], native);
    let email = &app["state"]["agents"][0];
    assert!(
        email["last_action"].is_string() && email.get("pending_action").is_none(),
        "{app}"
    );
    assert!(email["working_data"][0]["result"].is_object(), "{app}");
    assert_eq!(email["tool_call_list"][0]["worked"], true, "{app}");
    assert_eq!(app["state"]["command_list"][0]["status"], "finished", "{app}");
}

#[test]
fn the_day_is_told_with_who_is_coming() {
    let mut inbox = Inbox::offline();
    let day = inbox.say("what's on tomorrow and who is coming?");
    assert_eq!(day["state"], "finished", "{day}");
    assert_eq!(called(&day), ["list_events"]);
    assert!(
        content(&day).contains("“Lumen kick-off”, with Tom Okafor, Elena Rossi"),
        "{}",
        content(&day)
    );
}

#[test]
fn a_meeting_is_scheduled_at_a_free_time_when_the_user_says_so() {
    let mut inbox = Inbox::offline();
    let asked = inbox.say("schedule 30 minutes with Sarah on Thursday afternoon");
    assert_eq!(asked["state"], "waiting", "{asked}");
    assert_eq!(called(&asked)[0], "find_free_time");
    let gate = &asked["gates"][0];
    assert_eq!(
        gate["arguments"]["attendees"],
        json!(["sarah.chen@northwind.example"]),
        "{asked}"
    );
    assert!(
        gate["arguments"]["start"]
            .as_str()
            .unwrap()
            .starts_with("2026-11-26T"),
        "{gate}"
    );
    let done = inbox.say("yes");
    assert_eq!(done["state"], "finished", "{done}");
    assert!(
        done["tool_calls"]
            .as_array()
            .unwrap()
            .iter()
            .all(|call| call["is_error"] == false),
        "{done}"
    );
}

#[test]
fn the_offline_model_says_what_it_is() {
    let mut inbox = Inbox::offline();
    let said = inbox.say("tell me a joke");
    assert!(
        content(&said).contains("I am the offline model"),
        "{}",
        content(&said)
    );
    assert!(called(&said).is_empty());
}

#[test]
fn a_stream_tells_which_agent_is_at_what() {
    let inbox = Inbox::offline();
    let path = "/v1/assistants/inbox/turns";
    let reply = inbox.world.ask(support::stream(
        path,
        &json!({"message": "who is Tom Okafor?"}).to_string(),
    ));
    let stages: Vec<Value> = reply
        .events()
        .into_iter()
        .filter(|(name, _)| name == "agent.progress")
        .map(|(_, data)| serde_json::from_str(&data).unwrap())
        .collect();
    assert_eq!(
        stages[0],
        json!({"stage": "understanding", "agent": null, "status": "started"})
    );
    assert!(
        stages.contains(&json!({"stage": "working", "agent": "contacts", "status": "finished"})),
        "{stages:?}"
    );
    assert_eq!(
        stages.last().unwrap(),
        &json!({"stage": "updating", "agent": null, "status": "finished"})
    );
}
