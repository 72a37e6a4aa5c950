//! What a client has on its screen of a turn that is streamed, and what is wrong with how it came there.

use crate::sse::Event;
use serde_json::Value;

/// A turn as far as a client has heard of it.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// The id of the last event, as it came.
    pub last: String,
    /// The session and the turn, once they are known.
    pub session: String,
    /// See [`Screen::session`].
    pub turn: String,
    /// Epoch and number of the last event.
    place: Option<(u64, u64)>,
    /// What stands of the answer.
    pub text: String,
    /// The report of the end.
    pub end: Option<Value>,
}

impl Screen {
    /// An empty one, for a turn whose name is known.
    pub fn of(session: &str, turn: &str) -> Self {
        Self {
            session: session.to_owned(),
            turn: turn.to_owned(),
            ..Self::default()
        }
    }

    /// Takes an event in.
    ///
    /// # Errors
    /// What is wrong with it: an event twice, or one left out.
    pub fn show(&mut self, event: &Event) -> Result<(), String> {
        let place = place(&event.id);
        if let (Some((epoch, n)), Some(last)) = (place, self.place) {
            if (epoch, n) <= last {
                return Err(format!("{} {} came after {}", event.event, event.id, self.last));
            }
            // A new epoch goes on from what was durable, so it may begin with less, but not with more.
            if n > last.1 + 1 || (epoch == last.0 && n != last.1 + 1) {
                return Err(format!("nothing between {} and {}", self.last, event.id));
            }
            // Nobody has epoch 0: the beginning is told by whoever runs the turn first.
            if epoch > last.0 && last.0 > 0 && event.event != "turn.resumed" {
                return Err(format!(
                    "{} {} is the first of a new instance",
                    event.event, event.id
                ));
            }
        }
        self.place = place.or(self.place);
        self.last = event.id.clone();
        match event.event.as_str() {
            "turn.started" => {
                let data = event.json();
                self.session = text(&data["session"]);
                self.turn = text(&data["turn"]);
            }
            "turn.resumed" => self.text = text(&event.json()["text"]),
            "text.delta" => self.text.push_str(&text(&event.json()["text"])),
            "turn.finished" | "turn.failed" | "turn.stopped" | "turn.waiting" => {
                let end = event.json();
                let said = text(&end["message"]["content"]);
                if said != self.text {
                    return Err(format!(
                        "the screen says {:?}, and the turn's end says {said:?}",
                        self.text
                    ));
                }
                self.end = Some(end);
            }
            _ => {}
        }
        Ok(())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Epoch and number of an id `<turn>.<epoch>.<n>`.
fn place(id: &str) -> Option<(u64, u64)> {
    let mut parts = id.rsplitn(3, '.');
    let n = parts.next()?.parse().ok()?;
    let epoch = parts.next()?.parse().ok()?;
    parts.next().map(|_| (epoch, n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(id: &str, event: &str, data: Value) -> Event {
        Event {
            id: id.to_owned(),
            event: event.to_owned(),
            data: data.to_string(),
        }
    }

    fn all(events: &[Event]) -> Result<Screen, String> {
        let mut screen = Screen::default();
        events
            .iter()
            .try_for_each(|event| screen.show(event))
            .map(|()| screen)
    }

    fn good() -> Vec<Event> {
        vec![
            event("t.0.0", "turn.started", json!({ "session": "s", "turn": "t" })),
            event("t.3.1", "text.delta", json!({ "text": "One " })),
            event("t.3.2", "text.delta", json!({ "text": "two " })),
            event("t.4.2", "turn.resumed", json!({ "text": "One " })),
            event("t.4.3", "text.delta", json!({ "text": "three" })),
            event(
                "t.4.4",
                "turn.finished",
                json!({ "message": { "content": "One three" } }),
            ),
        ]
    }

    #[test]
    fn a_take_over_replaces_the_text() {
        assert!(all(&good()).unwrap().end.is_some());
    }

    #[test]
    fn repeated_and_missing_events_are_seen() {
        for at in 1..5 {
            let mut repeated = good();
            repeated.insert(at, repeated[at].clone());
            assert!(all(&repeated).is_err(), "{at} twice");
        }
        for at in [1, 3, 4] {
            let mut missing = good();
            missing.remove(at);
            assert!(all(&missing).is_err(), "without {at}");
        }
    }
}
