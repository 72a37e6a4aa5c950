//! Turns as server-sent events.

use anyturn_tests::screen::Screen;
use anyturn_tests::sse::Event;
use http::StatusCode;
use serde_json::json;

use crate::Verdict;
use crate::visit::{Request, Visit, text};

fn begin<'a>(visit: &'a Visit, message: &str) -> Request<'a> {
    visit.post("/v1/assistants/tasks/turns", &json!({ "message": message }))
}

pub(crate) async fn a_turn_is_streamed_as_it_happens(visit: &Visit) -> Verdict {
    let events = begin(visit, &format!("add {} for tomorrow", visit.own("buy milk")))
        .events()
        .await;
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(
        (names.first(), names.last()),
        (Some(&"turn.started"), Some(&"turn.finished")),
        "{names:?}"
    );
    let place = |name: &str| {
        let found = names.iter().position(|one| *one == name);
        found.unwrap_or_else(|| panic!("{name} in {names:?}"))
    };
    assert!(place("tool.started") < place("tool.finished") && place("tool.finished") < place("text.delta"));

    // The screen knows the rules of ids, and that the pieces make the whole.
    let mut screen = Screen::default();
    for event in &events {
        screen
            .show(event)
            .unwrap_or_else(|wrong| panic!("{wrong} in {events:#?}"));
    }
    let end = screen.end.unwrap_or_else(|| panic!("{names:?} has an end"));
    assert!(
        events
            .iter()
            .all(|event| event.id.starts_with(&text(&end["turn"]))),
        "{events:#?}"
    );
    Ok(())
}

pub(crate) async fn a_stream_goes_on_after_any_event_without_a_gap_or_a_repeat(visit: &Visit) -> Verdict {
    let events = begin(visit, &format!("add {}", visit.own("buy milk")))
        .events()
        .await;
    let end = events.last().map(Event::json).unwrap_or_default();
    let path = format!(
        "/v1/sessions/{}/turns/{}/events",
        text(&end["session"]),
        text(&end["turn"])
    );
    assert_eq!(visit.get(&path).events().await, events, "from the beginning");
    for (at, event) in events.iter().enumerate() {
        let rest = &events[at + 1..];
        if rest.is_empty() {
            // At which a browser's EventSource stops to come back.
            let answer = visit.get(&path).header("last-event-id", &event.id).send().await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
        } else {
            let by_header = visit.get(&path).header("last-event-id", &event.id).events().await;
            assert_eq!(by_header, rest, "after {}", event.id);
            let by_query = visit.get(&format!("{path}?after={}", event.id)).events().await;
            assert_eq!(by_query, rest, "after {}", event.id);
        }
    }
    Ok(())
}

pub(crate) async fn the_same_key_streams_the_same_turn_again(visit: &Visit) -> Verdict {
    let message = format!("add {}", visit.own("buy milk"));
    let send = || begin(visit, &message).header("idempotency-key", visit.mark());
    let first = send().events().await;
    assert_eq!(send().events().await, first);
    let from = first.first().map(|event| event.id.clone()).unwrap_or_default();
    assert_eq!(send().header("last-event-id", &from).events().await, first[1..]);
    assert_eq!(visit.tasks("").await.len(), 1);
    Ok(())
}

/// A body that ends late, or a connection that is not given back, would show here.
pub(crate) async fn one_connection_serves_stream_after_stream(visit: &Visit) -> Verdict {
    for number in 0..10 {
        let events = begin(visit, &format!("add {}", visit.own(&format!("thing {number}"))))
            .events()
            .await;
        assert_eq!(
            events.last().map(|event| event.event.as_str()),
            Some("turn.finished"),
            "{number}"
        );
        let listed = visit.get("/v1/assistants").send().await;
        assert_eq!(listed.status, StatusCode::OK, "{number}");
    }
    Ok(())
}
