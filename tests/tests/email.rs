//! E-mail through the whole of anyturn, talked to without a language model: what is asked about, what runs at once, what
//! is undone, and whose mailbox it is. What the tools promise by themselves is in `components/tools/email/tests`.

use anyturn_google_fake::FakeGoogle;
use anyturn_tests::application::Application;
use anyturn_tests::google_account::connected;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::json_of;
use reqwest::StatusCode;
use serde_json::{Value, json};

const ASSISTANT: &str = r#"
title = "Mail"
prompt = "You keep the mailbox of the person you talk to."

[[tools]]
server = "email"
"#;

/// A host with an assistant for e-mail, and a conversation with it.
struct Talk {
    host: Host,
    session: String,
    /// Of somebody who has signed in; none for the local user.
    token: Option<String>,
    _application: Application,
}

impl Talk {
    /// A host that knows nothing of Google, and the first message to it.
    async fn begin(message: &str) -> (Talk, Value) {
        let application = Application::copy().assistant("mail", ASSISTANT);
        let host = HostBuilder::new().manifest(application.manifest()).start().await;
        Talk::begin_with(application, host, None, message).await
    }

    async fn begin_with(
        application: Application,
        host: Host,
        token: Option<String>,
        message: &str,
    ) -> (Talk, Value) {
        let mut talk = Talk {
            host,
            session: String::new(),
            token,
            _application: application,
        };
        let answer = talk
            .post("/v1/assistants/mail/turns", &json!({ "message": message }))
            .await;
        answer["session"].as_str().unwrap().clone_into(&mut talk.session);
        (talk, answer)
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let mut request = self.host.post(path, body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let (status, answer) = json_of(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    async fn say(&self, message: &str) -> Value {
        let path = format!("/v1/sessions/{}/turns", self.session);
        self.post(&path, &json!({ "message": message })).await
    }

    /// Says something that is done at once, and returns what is answered.
    async fn ask(&self, message: &str) -> String {
        let answer = self.say(message).await;
        assert_eq!(answer["state"], "finished", "{answer}");
        content(&answer)
    }
}

fn content(answer: &Value) -> String {
    answer["message"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn todays_newsletters_are_found_without_a_key() {
    let (_talk, answer) = Talk::begin("what newsletters came today?").await;
    assert_eq!(answer["state"], "finished", "{answer}");
    assert!(
        content(&answer).starts_with("23 newsletters from today; the latest 10:"),
        "{answer}"
    );
    let ids = &answer["tool_calls"][0]["result"]["ids"];
    assert_eq!(ids.as_array().unwrap().len(), 23, "{answer}");
}

#[tokio::test]
async fn one_email_is_archived_at_once_and_several_after_a_yes_and_both_are_undone() {
    let (talk, archived) = Talk::begin("archive demo-sarah-4").await;
    assert_eq!(archived["state"], "finished", "{archived}");
    assert_eq!(content(&archived), "Archived “Q1 roadmap draft” from Sarah Chen.");
    let undone = talk.say("undo that").await;
    assert_eq!(undone["undo"]["items"][0]["undone"], true, "{undone}");

    let asked = talk.say("archive the emails demo-ci-1 and demo-ci-2").await;
    assert_eq!(asked["state"], "waiting", "{asked}");
    let gate = &asked["gates"][0];
    assert_eq!(
        (&gate["count"], &gate["reversible"]),
        (&json!(2), &json!(true)),
        "{asked}"
    );
    let archived = talk.say("yes").await;
    assert!(archived.to_string().contains("Archived 2 emails."), "{archived}");
    let undone = talk.say("undo that").await;
    assert_eq!(undone["undo"]["items"][0]["undone"], true, "{undone}");
    let again = talk.ask("find emails from Forge CI today").await;
    assert!(again.contains("Build 5122 passed"), "{again}");
}

#[tokio::test]
async fn nothing_is_sent_without_a_yes_and_the_question_says_that_it_is_final() {
    let letter = "send an email to bob@example.com about \"lunch\": \"Friday at noon?\"";
    let (talk, asked) = Talk::begin(letter).await;
    assert_eq!(asked["state"], "waiting", "{asked}");
    assert!(asked.to_string().contains("This cannot be undone."), "{asked}");
    talk.say("no").await;
    let sent = talk.ask("list the emails that I sent today").await;
    assert!(!sent.contains("lunch"), "{sent}");
    talk.say(letter).await;
    let done = talk.say("yes").await;
    assert!(
        done.to_string().contains("Sent “lunch” to bob@example.com."),
        "{done}"
    );
    let sent = talk.ask("list the emails that I sent today").await;
    assert!(sent.contains("to bob@example.com: “lunch”"), "{sent}");
}

#[tokio::test]
async fn an_email_that_gives_orders_changes_nothing() {
    let (talk, read) = Talk::begin("read email demo-phishing").await;
    assert_eq!(read["state"], "finished", "{read}");
    let calls: Vec<&Value> = read["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["tool"])
        .collect();
    assert_eq!(calls, ["read_email"], "reading is all that happened: {read}");
    let sent = talk.ask("list the emails that I sent today").await;
    assert!(sent.starts_with("There are no emails"), "{sent}");
}

const EMAIL: &str = "alex.kim@northwind.example";

#[tokio::test]
async fn whoever_has_connected_a_google_account_works_on_their_gmail() {
    let google = FakeGoogle::start().await.unwrap();
    let raw = "From: Ann <ann@example.com>\r\nTo: alex.kim@northwind.example\r\nSubject: The lamp\r\n\r\nIt works.\r\n";
    let id = google.gmail(EMAIL, |mailbox| {
        mailbox.deliver(raw.as_bytes(), 1_795_168_800_000, &["INBOX"])
    });
    let application = Application::copy().assistant("mail", ASSISTANT);
    let (host, token) = connected(
        &google,
        HostBuilder::new().manifest(application.manifest()),
        EMAIL,
    )
    .await;

    let (talk, found) = Talk::begin_with(application, host, Some(token), "find emails from Ann").await;
    assert!(content(&found).contains("1. Ann: “The lamp”"), "{found}");
    let archived = talk.ask(&format!("archive {id}")).await;
    assert_eq!(archived, "Archived “The lamp” from Ann.");
    let in_inbox = |google: &FakeGoogle| google.gmail(EMAIL, |mailbox| mailbox.with_label("INBOX").len());
    assert_eq!(in_inbox(&google), 0);
    talk.say("undo that").await;
    assert_eq!(in_inbox(&google), 1);

    // The access token ends; nobody notices.
    google.expire(EMAIL);
    let asked = talk.say(&format!("reply to {id}: \"How nice!\"")).await;
    assert_eq!(asked["state"], "waiting", "{asked}");
    let done = talk.say("yes").await;
    assert!(
        done.to_string()
            .contains("Sent “Re: The lamp” to Ann <ann@example.com>."),
        "{done}"
    );
    assert_eq!(google.gmail(EMAIL, |mailbox| mailbox.with_label("SENT").len()), 1);

    // The user takes the permission back.
    google.revoke(EMAIL);
    let refused = talk.ask("find emails from Ann").await;
    assert!(refused.contains("connect the Google account again"), "{refused}");
    let log = talk.host.log();
    assert!(!log.contains("ya29"), "no access token is logged");
}
