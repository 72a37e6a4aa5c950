//! The inbox assistant as its app talks to it, through the real binary, without a language model or an account: what a
//! newcomer tries first.

use anyturn_tests::host::Host;
use anyturn_tests::json_of;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// One conversation over the app's API.
struct App {
    host: Host,
    session: Option<String>,
}

impl App {
    async fn start() -> App {
        App {
            host: Host::start().await,
            session: None,
        }
    }

    async fn say(&mut self, message: &str) -> Value {
        let body = json!({
            "message": message,
            "session_id": self.session,
            "user_preferences": { "timezone": "Europe/Berlin" }
        });
        let (status, answer) = json_of(self.host.post("/api/chat/process", &body)).await;
        assert_eq!(status, StatusCode::OK, "{message}: {answer}");
        assert_eq!(answer["success"], true, "{message}: {answer}");
        self.session = answer["session_id"].as_str().map(str::to_owned);
        answer
    }

    /// Says something that is answered at once.
    async fn ask(&mut self, message: &str) -> String {
        let answer = self.say(message).await;
        assert_eq!(answer["requires_confirmation"], false, "{message}: {answer}");
        text(&answer)
    }

    /// Says something risky, and returns the question and what waits for a yes.
    async fn risk(&mut self, message: &str) -> (String, Value) {
        let answer = self.say(message).await;
        assert_eq!(answer["requires_confirmation"], true, "{message}: {answer}");
        (text(&answer), answer["confirmation_context"].clone())
    }
}

fn text(answer: &Value) -> String {
    answer["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn newsletters_are_archived_after_a_yes_and_brought_back() {
    let mut app = App::start().await;
    let (question, waits) = app.risk("Archive all newsletters from today").await;
    assert!(question.starts_with("23 newsletters from today"), "{question}");
    assert_eq!(
        question.matches("This can be undone").count(),
        1,
        "asked once: {question}"
    );
    assert_eq!(
        waits,
        json!({ "action": "archive_emails", "count": 23, "risk_level": "medium" })
    );
    let done = app.ask("yes").await;
    assert!(
        done.starts_with("Archived 23 emails."),
        "what was asked is not told again: {done}"
    );
    let inbox = app.ask("show my latest emails").await;
    assert!(!inbox.contains("Coffee Geek"), "{inbox}");
    let undone = app.ask("undo").await;
    assert!(
        undone.starts_with("Put back into the inbox: 23 emails."),
        "{undone}"
    );
    let (again, _) = app.risk("Archive all newsletters from today").await;
    assert!(again.contains("23"), "{again}");
    assert_eq!(app.ask("no").await, "All right: it was not done.");
}

#[tokio::test]
async fn an_email_is_found_answered_opened_and_forwarded() {
    let mut app = App::start().await;
    let found = app.ask("find emails from Sarah this week").await;
    let second = found.lines().find(|line| line.starts_with("2. ")).unwrap();
    let subject = second.split(['“', '”']).nth(1).unwrap();
    let (_, waits) = app
        .risk("reply to the second one saying that I will be there")
        .await;
    assert_eq!(
        (&waits["action"], &waits["risk_level"]),
        (&json!("reply_to_email"), &json!("high"))
    );
    let sent = app.ask("yes").await;
    assert!(sent.contains(subject), "{sent}");
    let opened = app.ask("open the second one").await;
    assert!(opened.contains(&format!("“{subject}”")), "{opened}");
    let (question, waits) = app.risk("forward it to marcus").await;
    assert!(question.contains("marcus.webb@northwind.example"), "{question}");
    assert_eq!(waits["action"], "forward_email");
    app.ask("no").await;
}

#[tokio::test]
async fn a_meeting_is_scheduled_when_everybody_is_free() {
    let mut app = App::start().await;
    let tomorrow = app.ask("what's on tomorrow and who is coming?").await;
    assert!(
        tomorrow.contains("Lumen kick-off") && tomorrow.contains("Tom Okafor"),
        "{tomorrow}"
    );
    let (question, waits) = app
        .risk("schedule 30 minutes with Sarah on Thursday afternoon")
        .await;
    assert!(question.contains("sarah.chen@northwind.example"), "{question}");
    assert_eq!(
        (&waits["action"], &waits["count"]),
        (&json!("create_event"), &json!(1))
    );
    let done = app.ask("yes").await;
    assert!(done.contains("is scheduled: Thursday"), "{done}");
    let undo = app.say("undo").await;
    assert_eq!(
        undo["requires_confirmation"], true,
        "calling an invitation off sends mail: {undo}"
    );
}
