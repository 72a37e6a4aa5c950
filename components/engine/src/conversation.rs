//! A conversation as its journal tells it: the one place where entries get their meaning.
//!
//! [`Conversation`] is a fold over entries. A [`Snapshot`] is the same fold up to the journal's checkpoint,
//! cut to the window that the model may see, so that the thousandth turn costs what the tenth does; folding
//! the whole journal, or a snapshot and the entries after it, gives the same conversation.

mod agents;
mod gated;
mod progress;
mod seen;
mod snapshot;
mod standing;
mod window;

pub use agents::Status;
pub(crate) use agents::{Command, Domain, Domains, UNDERSTAND, prefix, spoken, tool_step};
pub(crate) use gated::{Gated, waiting_until};
pub(crate) use progress::{End, Progress, TakenUp, undo_step};
pub(crate) use snapshot::Snapshot;
pub(crate) use standing::{Action, Standing, inverse_call};
pub(crate) use window::{Exchange, Window};

use crate::gate::Gate;
use crate::journal::{Entry, GateOpened, Record, TurnStarted};
use crate::port::{Message, Part};

/// The longest title made of a message, in characters.
const TITLE: usize = 60;

/// A conversation up to some entry of its journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conversation {
    /// Who it is with and what it is about; none before its first turn.
    pub head: Option<Head>,
    /// When something last happened in it.
    pub updated_at: u64,
    /// The turns that ended, as the model sees them; not cut to the window yet.
    exchanges: Vec<Exchange>,
    /// The latest turn, running or ended.
    pub current: Option<Progress>,
    /// Turns that had not ended when the next one began, and were not closed by an entry yet.
    pub superseded: Vec<Progress>,
    /// Turns before the latest that wait for decisions.
    pub waiting: Vec<Progress>,
    /// What holds beyond single turns.
    pub standing: Standing,
    /// What held when the latest turn began.
    before: Standing,
}

/// What does not change in the course of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// The assistant's name.
    pub assistant: String,
    /// For people.
    pub title: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Whether nobody can go on with it.
    pub detached: bool,
    /// The conversation that it was forked from, and the turn at which.
    pub origin: Option<(String, String)>,
}

impl Conversation {
    /// Takes the next entry in; `position` is where it stands in the journal.
    pub(crate) fn apply(&mut self, position: u64, entry: Entry) {
        let Entry { v: _, at, turn, what } = entry;
        match what {
            Record::TurnStarted(started) => {
                if self.current.as_ref().is_some_and(|current| current.turn == turn) {
                    // A store's client has sent an admission twice.
                    return;
                }
                self.settle();
                if self.head.is_none() {
                    self.head = Some(Head {
                        assistant: started.assistant.clone().unwrap_or_default(),
                        title: started.title.clone().unwrap_or_else(|| title(&started.message)),
                        created_at: at,
                        detached: started.history.is_some(),
                        origin: None,
                    });
                }
                self.before = self.standing.clone();
                self.standing.forget(at);
                self.standing
                    .undo(&turn, started.undo.iter().map(|undo| undo.call.as_str()));
                self.current = Some(Progress::new(turn, position, at, *started));
            }
            Record::TurnRefused { .. } => {
                // It never was; a conversation whose first turn was refused has not begun.
                self.current.take_if(|current| current.turn == turn);
                if self.current.is_none() && self.exchanges.is_empty() && self.superseded.is_empty() {
                    self.head = None;
                }
                return;
            }
            Record::TurnAbandoned {} => self.superseded.retain(|progress| progress.turn != turn),
            Record::Forked(forked) => {
                self.head = Some(Head {
                    assistant: forked.assistant,
                    title: forked.title,
                    created_at: at,
                    detached: false,
                    origin: Some((forked.session, forked.at)),
                });
            }
            Record::PastCopied {} => {
                self.settle();
                self.superseded.clear();
                self.waiting.clear();
                // What agents know is of the past, too.
                let domains = std::mem::take(&mut self.standing.domains);
                self.standing = Standing {
                    domains,
                    ..Standing::default()
                };
            }
            what => self.go_on(at, &turn, what),
        }
        self.updated_at = at;
    }

    /// Takes in what happened in a turn that has begun.
    fn go_on(&mut self, at: u64, turn: &str, what: Record) {
        if let Record::GateDecided(decided) = &what
            && decided.always
            && let Some(gated) = self.turn(turn).and_then(|turn| turn.gate(&decided.gate))
        {
            let GateOpened { server, tool, .. } = gated.opened.clone();
            self.standing.allow(&server, &tool);
        }
        if let Some(current) = self.current.as_mut().filter(|current| current.turn == turn) {
            if let Record::ToolFinished(finished) = &what
                && current.tool(&finished.step).is_none()
            {
                self.standing.finish(current, finished);
            }
            current.apply(at, what);
            return self.standing.domains.follow(current);
        }
        // A turn that waits, and others have come since; or one that began before what is known.
        let Some(index) = self.waiting.iter().position(|waiting| waiting.turn == turn) else {
            return;
        };
        match what {
            Record::TurnResumed { .. } => {
                self.settle();
                self.before = self.standing.clone();
                let mut progress = self.waiting.remove(index);
                progress.moved = true;
                progress.apply(at, what);
                self.current = Some(progress);
            }
            Record::TurnFailed { .. } => {
                self.waiting.remove(index);
            }
            what => {
                if let Some(waiting) = self.waiting.get_mut(index) {
                    waiting.apply(at, what);
                }
            }
        }
    }

    /// A turn that can have gates: the latest, or one that waits.
    pub(crate) fn turn(&self, turn: &str) -> Option<&Progress> {
        let mut turns = self.current.iter().chain(&self.waiting);
        turns.find(|known| known.turn == turn)
    }

    /// The turn that has a gate.
    pub(crate) fn turn_of_gate(&self, gate: &str) -> Option<&Progress> {
        let mut turns = self.current.iter().chain(&self.waiting);
        turns.find(|turn| turn.gate(gate).is_some())
    }

    /// The turns that wait for decisions, the oldest first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Progress> {
        let current = self.current.iter().filter(|current| current.is_waiting());
        self.waiting.iter().chain(current)
    }

    /// The gates that somebody can decide at `now`.
    pub(crate) fn open_gates(&self, now: u64) -> Vec<Gate> {
        let gates = |turn: &Progress| {
            let open = turn.open_gates().filter(|gated| !gated.is_due(now));
            open.map(|gated| gated.report(&turn.turn)).collect::<Vec<_>>()
        };
        self.waiting().flat_map(gates).collect()
    }

    /// The turns that entries tell of, oldest first, without those that were refused. What belongs to a turn
    /// that began before the first entry is left out.
    pub(crate) fn turns(entries: impl IntoIterator<Item = (u64, Entry)>) -> Vec<Progress> {
        let mut turns: Vec<Progress> = Vec::new();
        for (position, Entry { v: _, at, turn, what }) in entries {
            let known = turns.iter().rposition(|known| known.turn == turn);
            match (known, what) {
                // A turn that has waited, of which the beginning is not among the entries.
                (None, Record::TurnResumed { .. }) => {
                    turns.push(Progress::new(turn, position, at, TurnStarted::default()));
                }
                (None, Record::TurnStarted(started)) => {
                    if let Some(last) = turns.last_mut() {
                        last.end.get_or_insert(End::Abandoned);
                    }
                    turns.push(Progress::new(turn, position, at, *started));
                }
                (Some(known), Record::TurnRefused { .. }) => {
                    turns.remove(known);
                }
                (Some(known), what) => {
                    if let Some(known) = turns.get_mut(known) {
                        known.apply(at, what);
                    }
                }
                (None, _) => {}
            }
        }
        turns
    }

    /// Moves the latest turn to those before it.
    fn settle(&mut self) {
        if let Some(mut current) = self.current.take() {
            let unended = current.end.is_none();
            if unended {
                current.end = Some(End::Abandoned);
            }
            self.exchanges.push(Exchange::of(&current));
            if unended {
                self.superseded.push(current);
            } else if current.is_waiting() {
                self.waiting.push(current);
            }
        }
    }

    /// Forgets what the model does not see any more.
    pub(crate) fn trim(&mut self, window: Window) {
        self.exchanges = window.cut(std::mem::take(&mut self.exchanges));
    }

    /// What the model has seen before the latest turn, oldest first.
    pub(crate) fn history(&self, window: Window) -> Vec<Message> {
        let exchanges = window.cut(self.exchanges.clone());
        exchanges
            .into_iter()
            .flat_map(|exchange| exchange.messages)
            .collect()
    }

    /// The conversation without its latest turn unless that has ended; none before the first turn.
    ///
    /// An ended turn is part of it when `with_current`; a failed one that may be tried again should not be.
    pub(crate) fn snapshot(&self, window: Window, ttl: u64, with_current: bool) -> Option<Snapshot> {
        let mut exchanges = self.exchanges.clone();
        exchanges.extend(
            self.current
                .as_ref()
                .filter(|current| with_current && current.end.is_some())
                .map(Exchange::of),
        );
        Some(Snapshot {
            head: self.head.clone()?,
            updated_at: self.updated_at,
            ttl,
            exchanges: window.cut(exchanges),
            waiting: self.waiting.clone(),
            standing: if with_current {
                self.standing.clone()
            } else {
                self.before.clone()
            },
        })
    }
}

/// A title made of a message: its first line, shortened.
fn title(message: &[Part]) -> String {
    let text = message.iter().find_map(|part| match part {
        Part::Text { text } => text.lines().map(str::trim).find(|line| !line.is_empty()),
        _ => None,
    });
    let Some(text) = text else {
        return "A picture".to_owned();
    };
    if text.chars().count() <= TITLE {
        return text.to_owned();
    }
    let cut: String = text.chars().take(TITLE).collect();
    // At a word's end, unless that would leave very little.
    let end = cut
        .rfind(char::is_whitespace)
        .filter(|end| *end > TITLE / 2)
        .unwrap_or(cut.len());
    format!("{}…", cut.get(..end).unwrap_or(&cut).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<Part> {
        vec![Part::Text {
            text: text.to_owned(),
        }]
    }

    #[test]
    fn a_title_is_the_first_line_cut_at_a_word() {
        assert_eq!(title(&text("\n  Buy milk \nand bread")), "Buy milk");
        assert_eq!(
            title(&text(
                "Please remind me to call the plumber about the kitchen sink on Monday"
            )),
            "Please remind me to call the plumber about the kitchen sink…"
        );
        assert_eq!(title(&text(&"ü".repeat(100))), format!("{}…", "ü".repeat(60)));
        assert_eq!(title(&[]), "A picture");
    }
}
