//! Calendar and contacts through the whole of anyturn, talked to without a language model: what is asked about, what runs
//! at once, what is undone, and whose calendar it is. What the tools promise by themselves is in
//! `components/tools/calendar/tests` and `components/tools/contacts/tests`.

use anyturn_google_fake::FakeGoogle;
use anyturn_tests::application::Application;
use anyturn_tests::google_account::connected;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::json_of;
use reqwest::StatusCode;
use serde_json::{Value, json};

const ASSISTANT: &str = r#"
title = "Calendar"
prompt = "You keep the calendar of the person you talk to."

[[tools]]
server = "calendar"

[[tools]]
server = "contacts"
"#;

/// A conversation with an assistant for calendar and contacts.
struct Talk {
    host: Host,
    session: String,
    /// Of somebody who has signed in; none for the local user.
    token: Option<String>,
    _application: Application,
}

impl Talk {
    /// With a host that knows nothing of Google.
    async fn without_google() -> Talk {
        let application = application();
        let host = HostBuilder::new().manifest(application.manifest()).start().await;
        Talk {
            host,
            session: String::new(),
            token: None,
            _application: application,
        }
    }

    async fn with_google(google: &FakeGoogle) -> Talk {
        let application = application();
        let (host, token) =
            connected(google, HostBuilder::new().manifest(application.manifest()), EMAIL).await;
        Talk {
            host,
            session: String::new(),
            token: Some(token),
            _application: application,
        }
    }

    /// Says something; the first time that begins the conversation.
    async fn say(&mut self, message: &str) -> Value {
        let path = match self.session.as_str() {
            "" => "/v1/assistants/keeper/turns".to_owned(),
            session => format!("/v1/sessions/{session}/turns"),
        };
        let mut request = self.host.post(&path, &json!({ "message": message }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let (status, answer) = json_of(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}\n{}", self.host.log());
        answer["session"].as_str().unwrap().clone_into(&mut self.session);
        answer
    }

    /// Says something that is done at once, and returns what is answered.
    async fn ask(&mut self, message: &str) -> String {
        let answer = self.say(message).await;
        assert_eq!(answer["state"], "finished", "{answer}");
        answer["message"]["content"].as_str().unwrap().to_owned()
    }

    /// Says something about which the user is asked, and returns the gate.
    async fn is_asked(&mut self, message: &str) -> Value {
        let answer = self.say(message).await;
        assert_eq!(answer["state"], "waiting", "{answer}");
        answer["gates"][0].clone()
    }
}

fn application() -> Application {
    Application::copy().assistant("keeper", ASSISTANT)
}

const EMAIL: &str = "alex.kim@northwind.example";
const PRIYA: &str = "priya.nair@northwind.example";

#[tokio::test]
async fn a_newcomer_finds_tomorrow_and_a_free_afternoon() {
    let mut talk = Talk::without_google().await;
    let tomorrow = talk.ask("what's on tomorrow?").await;
    for title in [
        "“Stand-up”",
        "“Lumen kick-off”, with Tom Okafor",
        "“Design review”",
    ] {
        assert!(tomorrow.contains(title), "{tomorrow}");
    }
    let sarah = talk.ask("find Sarah in my contacts").await;
    let chen = sarah.find("sarah.chen@northwind.example");
    let miller = sarah.find("sarah.miller@brightpath.example");
    assert!(
        chen.is_some() && chen < miller,
        "both, the likelier first: {sarah}"
    );
    let found = talk
        .say("schedule 30 minutes with Sarah on Thursday afternoon")
        .await;
    let call = &found["tool_calls"][0];
    assert_eq!(call["tool"], "find_free_time", "{found}");
    assert_eq!(
        call["result"]["attendees"][0]["address"], "sarah.chen@northwind.example",
        "{found}"
    );
    assert_eq!(call["result"]["slots"][0]["number"], 1, "{found}");
}

#[tokio::test]
async fn an_event_for_oneself_is_made_at_once_and_undone_without_a_question() {
    let mut talk = Talk::without_google().await;
    let made = talk
        .ask("create an event called deep thought tomorrow at 20:00")
        .await;
    assert!(
        made.starts_with("“deep thought” is in your calendar: tomorrow, "),
        "{made}"
    );
    let undone = talk.say("undo that").await;
    assert_eq!(undone["undo"]["items"][0]["undone"], true, "{undone}");
    let tomorrow = talk.ask("what's on tomorrow?").await;
    assert!(!tomorrow.contains("deep thought"), "{tomorrow}");
}

#[tokio::test]
async fn nobody_is_invited_without_a_yes_and_undoing_it_needs_another_one() {
    let mut talk = Talk::without_google().await;
    let invitation = "invite priya.nair@northwind.example to lunch on Friday at 12:00";
    let gate = talk.is_asked(invitation).await;
    assert_eq!(
        (&gate["count"], &gate["reversible"]),
        (&json!(1), &json!(true)),
        "{gate}"
    );
    assert_eq!(
        gate["title"], "Create an event and invite its attendees",
        "{gate}"
    );
    talk.say("no").await;
    let none = talk.ask("find events about lunch").await;
    assert!(none.starts_with("There are no events"), "{none}");
    talk.is_asked(invitation).await;
    let done = talk.say("yes").await;
    assert!(
        done.to_string()
            .contains("priya.nair@northwind.example was invited."),
        "{done}"
    );
    let undo = talk.is_asked("undo that").await;
    assert_eq!(undo["tool"], "cancel_event", "{undo}");
    let undone = talk.say("yes").await;
    assert_eq!(undone["undo"]["items"][0]["undone"], true, "{undone}");
    let none = talk.ask("find events about lunch").await;
    assert!(none.starts_with("There are no events"), "{none}");
}

#[tokio::test]
async fn whoever_has_connected_a_google_account_works_on_its_calendar_and_contacts() {
    let google = FakeGoogle::start().await.unwrap();
    google.add_contact(
        EMAIL,
        json!({"names": [{"displayName": "José García"}], "emailAddresses": [{"value": "jose@x.example"}]}),
    );
    let mut talk = Talk::with_google(&google).await;
    let contact = talk.ask("find Jose in my contacts").await;
    assert!(contact.contains("José García, jose@x.example"), "{contact}");

    let made = talk
        .ask("create an event called deep thought tomorrow at 20:00")
        .await;
    assert!(made.starts_with("“deep thought” is in your calendar"), "{made}");
    assert_eq!(google.count_events(EMAIL), 1);
    talk.say("undo that").await;
    assert_eq!((google.count_events(EMAIL), google.event_mails().len()), (0, 0));

    // The access token ends; nobody notices.
    google.expire(EMAIL);
    talk.is_asked("invite priya.nair@northwind.example to lunch on Friday at 12:00")
        .await;
    assert_eq!(google.count_events(EMAIL), 0, "not before the yes");
    talk.say("yes").await;
    let mails = google.event_mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!((mails[0].to.as_str(), mails[0].what), (PRIYA, "invitation"));

    // The user takes the permission back.
    google.revoke(EMAIL);
    let refused = talk.ask("what's on tomorrow?").await;
    assert!(refused.contains("has to connect Google again"), "{refused}");
    assert!(!talk.host.log().contains("ya29"), "no access token is logged");
}
