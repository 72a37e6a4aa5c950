//! What happens while a turn runs: its model is held in the middle of an answer.

use std::sync::Arc;
use std::time::Duration;

use anyturn_tests::hold::Hold;
use anyturn_tests::screen::Screen;
use http::StatusCode;
use serde_json::{Value, json};

use crate::site::Held;
use crate::visit::{Events, Visit, said, text};
use crate::{Skipped, Verdict};

/// What the model is to say; it can be held after “One two three”.
const WORDS: &str = "One two three four five.";

/// A stay where the model can be held.
fn held(visit: &Visit) -> Result<(Visit, Arc<Held>), Skipped> {
    let (site, held) = visit.site.held()?;
    Ok((Visit::at(site), held))
}

/// A turn whose model is in the middle of its answer.
struct Running<'a> {
    visit: &'a Visit,
    hold: Hold,
    events: Events<'a>,
    session: String,
    turn: String,
}

impl<'a> Running<'a> {
    /// Begins one in a new session, which calls these tools before it speaks.
    async fn begin(visit: &'a Visit, held: &Held, calls: Value) -> Running<'a> {
        let hold = held.holds.place(visit.mark());
        let message = json!({ "place": visit.mark(), "calls": calls, "say": WORDS }).to_string();
        let begin = visit.post("/v1/assistants/tasks/turns", &json!({ "message": message }));
        let mut events = begin.header("idempotency-key", visit.mark()).listen().await;
        let started = events.until("turn.started").await.json();
        hold.reached().await;
        let (session, turn) = (text(&started["session"]), text(&started["turn"]));
        Running {
            visit,
            hold,
            events,
            session,
            turn,
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/sessions/{}{rest}", self.session)
    }

    /// Another message of the same session.
    fn another(&self, on_busy: &str) -> crate::visit::Request<'a> {
        let body = json!({ "message": json!({ "say": "Another." }).to_string(), "on_busy": on_busy });
        self.visit.post(&self.path("/turns"), &body)
    }

    /// Waits until the turns of the session have these states.
    async fn until(&self, states: &[&str]) {
        loop {
            let read = self.visit.get(&self.path("")).ok().await;
            let turns = read["turns"].as_array().cloned().unwrap_or_default();
            let seen: Vec<String> = turns.iter().map(|turn| text(&turn["state"])).collect();
            if seen == states {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn a_second_message_is_rejected_while_a_turn_runs(visit: &Visit) -> Verdict {
    let (visit, held) = held(visit)?;
    let mut running = Running::begin(&visit, &held, json!([])).await;
    let problem = running.another("reject").problem(409, "turn-running").await;
    assert_eq!(problem["turn"], running.turn.as_str(), "{problem}");
    running.hold.release();
    let end = running.events.until("turn.finished").await.json();
    assert_eq!(said(&end), WORDS);
    visit.tidy().await;
    Ok(())
}

pub(crate) async fn a_second_message_waits_where_it_is_told_to(visit: &Visit) -> Verdict {
    let (visit, held) = held(visit)?;
    let mut running = Running::begin(&visit, &held, json!([])).await;
    // Its stream begins when it waits, and tells nothing before its turn.
    let mut second = running.another("enqueue").listen().await;
    running.hold.release();
    let first = running.events.until("turn.finished").await.json();
    assert_eq!(said(&first), WORDS);
    assert_eq!(said(&second.until("turn.finished").await.json()), "Another.");
    running.until(&["finished", "finished"]).await;
    visit.tidy().await;
    Ok(())
}

pub(crate) async fn a_second_message_interrupts_where_it_is_told_to(visit: &Visit) -> Verdict {
    let (visit, held) = held(visit)?;
    let mut running = Running::begin(&visit, &held, json!([])).await;
    let second = running.another("interrupt").ok().await;
    assert_eq!(
        (said(&second).as_str(), &second["state"]),
        ("Another.", &json!("finished")),
        "{second}"
    );
    let first = running.events.until("turn.stopped").await.json();
    assert!(
        WORDS.starts_with(&said(&first)) && !said(&first).is_empty(),
        "what was said stands: {first}"
    );
    running.until(&["stopped", "finished"]).await;
    visit.tidy().await;
    Ok(())
}

pub(crate) async fn a_second_message_rolls_back_where_it_is_told_to(visit: &Visit) -> Verdict {
    let (visit, held) = held(visit)?;
    let milk = visit.own("buy milk");
    let task = visit.task(&milk).await;
    let calls = json!([{ "tool": "complete_task", "arguments": { "task": milk } }]);
    let mut running = Running::begin(&visit, &held, calls).await;
    let path = format!("/api/tasks/{task}");
    assert_eq!(visit.get(&path).ok().await["status"], "done");
    let second = running.another("rollback").ok().await;
    assert_eq!(
        visit.get(&path).ok().await["status"],
        "open",
        "what the first turn did is taken back"
    );
    let told = said(&second);
    assert!(
        told.starts_with("Undone: ") && told.ends_with("Another."),
        "{second}"
    );
    running.events.until("turn.stopped").await;
    visit.tidy().await;
    Ok(())
}

pub(crate) async fn a_turn_is_stopped_and_what_it_said_stands(visit: &Visit) -> Verdict {
    let (visit, held) = held(visit)?;
    let mut running = Running::begin(&visit, &held, json!([])).await;
    let stop = running.path(&format!("/turns/{}/stop", running.turn));
    let stopping = visit.request("POST", &stop).send().await;
    assert!(stopping.status.is_success(), "{}", stopping.text);
    let end = running.events.until("turn.stopped").await.json();
    assert!(WORDS.starts_with(&said(&end)) && said(&end) != WORDS, "{end}");
    assert_eq!(visit.request("POST", &stop).ok().await["state"], "stopped");
    let next = running.another("reject").ok().await;
    assert_eq!(said(&next), "Another.", "the session goes on");
    visit.tidy().await;
    Ok(())
}

pub(crate) async fn a_finished_turn_cannot_be_stopped(visit: &Visit) -> Verdict {
    let (session, turn) = visit.begin("chat", "hello").await;
    let turn = format!("/v1/sessions/{session}/turns/{}", text(&turn["turn"]));
    let problem = visit
        .request("POST", &format!("{turn}/stop"))
        .problem(409, "turn-finished")
        .await;
    assert_eq!(problem["state"], "finished", "{problem}");
    assert_eq!(visit.get(&turn).ok().await["state"], "finished");
    Ok(())
}

pub(crate) async fn a_second_listener_hears_the_same_turn_while_it_runs(visit: &Visit) -> Verdict {
    let (visit, held) = held(visit)?;
    let mut running = Running::begin(&visit, &held, json!([])).await;
    let path = running.path(&format!("/turns/{}/events", running.turn));
    let mut second = visit.get(&path).listen().await;
    let mut screen = Screen::default();
    // It is told what was said before it came, while the model is still held.
    while screen.text.is_empty() {
        let event = second.next().await.expect("the turn runs");
        screen.show(&event).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    assert!(screen.end.is_none());
    running.hold.release();
    while let Some(event) = second.next().await {
        screen.show(&event).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    let end = running.events.until("turn.finished").await.json();
    assert_eq!(screen.end, Some(end));
    visit.tidy().await;
    Ok(())
}

pub(crate) async fn a_client_that_leaves_does_not_stop_its_turn(visit: &Visit) -> Verdict {
    let (visit, held) = held(visit)?;
    let running = Running::begin(&visit, &held, json!([])).await;
    let Running {
        hold,
        events,
        session,
        turn,
        ..
    } = running;
    drop(events);
    hold.release();
    let path = format!("/v1/sessions/{session}/turns/{turn}/events");
    let heard = visit.get(&path).events().await;
    let end = heard.last().map(|event| event.json()).unwrap_or_default();
    assert_eq!(
        (&end["state"], said(&end).as_str()),
        (&json!("finished"), WORDS),
        "{end}"
    );
    let read = visit.get(path.trim_end_matches("/events")).send().await;
    assert_eq!(read.status, StatusCode::OK, "{}", read.text);
    visit.tidy().await;
    Ok(())
}
