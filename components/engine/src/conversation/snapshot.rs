//! A conversation up to its journal's checkpoint, as it is stored.
//!
//! Everything in a snapshot is in the journal too, so its encoding is made for speed alone: it is read and
//! written in every turn, and JSON would cost more than all the rest of a turn's bookkeeping. Texts stand as
//! they are, each after its length; numbers are LEB128. The first byte is the version. What cannot be read,
//! such as a snapshot of another version, is as good as none: the journal is read from its beginning instead. What
//! only assistants of several agents have stands at the end, under a version of its own.

use super::{Action, Conversation, Domains, Exchange, Head, Progress, Standing};
mod domains;

use crate::port::{Message, Part, Role, ToolCall, ToolResult};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of the encoding.
const VERSION: u8 = 2;

/// The same, followed by what agents know.
const WITH_AGENTS: u8 = 3;

/// The most of anything that is believed without having seen it, so that damaged bytes cannot ask for memory.
const MOST: u64 = 4096;

/// A conversation up to its journal's checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    pub head: Head,
    pub updated_at: u64,
    /// The conversation's time to live in milliseconds.
    pub ttl: u64,
    pub exchanges: Vec<Exchange>,
    pub waiting: Vec<Progress>,
    pub standing: Standing,
}

impl From<Snapshot> for Conversation {
    fn from(snapshot: Snapshot) -> Self {
        let Snapshot {
            head,
            updated_at,
            ttl: _,
            exchanges,
            waiting,
            standing,
        } = snapshot;
        Conversation {
            head: Some(head),
            updated_at,
            exchanges,
            waiting,
            standing,
            ..Conversation::default()
        }
    }
}

impl Snapshot {
    /// The snapshot as it is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Snapshot {
            head,
            updated_at,
            ttl,
            exchanges,
            waiting,
            standing:
                Standing {
                    allowed,
                    actions,
                    domains,
                },
        } = self;
        let Head {
            assistant,
            title,
            created_at,
            detached,
            origin,
        } = head;
        let mut bytes = Vec::with_capacity(1024);
        bytes.push(if domains.is_empty() { VERSION } else { WITH_AGENTS });
        put_text(&mut bytes, assistant);
        put_text(&mut bytes, title);
        bytes.push(u8::from(*detached));
        bytes.push(u8::from(origin.is_some()));
        if let Some((session, turn)) = origin {
            put_text(&mut bytes, session);
            put_text(&mut bytes, turn);
        }
        for number in [*created_at, *updated_at, *ttl] {
            put_number(&mut bytes, number);
        }
        put_length(&mut bytes, exchanges.len());
        for Exchange { messages } in exchanges {
            put_length(&mut bytes, messages.len());
            for Message { role, parts } in messages {
                bytes.push(match role {
                    Role::System => 0,
                    Role::User => 1,
                    Role::Assistant => 2,
                    Role::Tool => 3,
                });
                put_length(&mut bytes, parts.len());
                parts.iter().for_each(|part| put_part(&mut bytes, part));
            }
        }
        put_length(&mut bytes, waiting.len());
        waiting.iter().for_each(|turn| put_json(&mut bytes, turn));
        put_length(&mut bytes, allowed.len());
        for (server, tool) in allowed {
            put_text(&mut bytes, server);
            put_text(&mut bytes, tool);
        }
        put_length(&mut bytes, actions.len());
        actions.iter().for_each(|action| put_json(&mut bytes, action));
        if !domains.is_empty() {
            domains::put(&mut bytes, domains);
        }
        bytes
    }

    /// Reads a snapshot, if it is one of this version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Snapshot> {
        let mut reader = Reader(bytes);
        let version = reader.byte()?;
        if version != VERSION && version != WITH_AGENTS {
            return None;
        }
        let (assistant, title, detached) = (reader.text()?, reader.text()?, reader.flag()?);
        let origin = if reader.flag()? {
            Some((reader.text()?, reader.text()?))
        } else {
            None
        };
        let (created_at, updated_at, ttl) = (reader.number()?, reader.number()?, reader.number()?);
        let head = Head {
            assistant,
            title,
            created_at,
            detached,
            origin,
        };
        let exchanges = reader.list(|reader| {
            Some(Exchange {
                messages: reader.list(Reader::message)?,
            })
        })?;
        let waiting = reader.list(Reader::json)?;
        let allowed = reader.list(|reader| Some((reader.text()?, reader.text()?)))?;
        let actions: Vec<Action> = reader.list(Reader::json)?;
        let domains = if version == WITH_AGENTS {
            reader.domains()?
        } else {
            Domains::default()
        };
        reader.0.is_empty().then_some(Snapshot {
            head,
            updated_at,
            ttl,
            exchanges,
            waiting,
            standing: Standing {
                allowed,
                actions,
                domains,
            },
        })
    }
}

fn put_part(bytes: &mut Vec<u8>, part: &Part) {
    match part {
        Part::Text { text } => {
            bytes.push(0);
            put_text(bytes, text);
        }
        Part::Image { media_type, url } => {
            bytes.push(1);
            put_text(bytes, media_type);
            put_text(bytes, url);
        }
        Part::ToolCall(ToolCall { id, name, arguments }) => {
            bytes.push(2);
            put_text(bytes, id);
            put_text(bytes, name);
            put_text(bytes, arguments);
        }
        Part::ToolResult(ToolResult {
            call_id,
            content,
            is_error,
        }) => {
            bytes.push(3);
            put_text(bytes, call_id);
            put_text(bytes, content);
            bytes.push(u8::from(*is_error));
        }
    }
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    put_number(bytes, u64::try_from(length).unwrap_or(u64::MAX));
}

/// What is rare stands as JSON. Nothing in it can fail to become JSON; if that changes, the snapshot is none.
fn put_json(bytes: &mut Vec<u8>, value: &impl Serialize) {
    put_text(bytes, &serde_json::to_string(value).unwrap_or_default());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// Takes one thing after another from the front; `None` where it is not there.
struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }

    fn json<T: DeserializeOwned>(&mut self) -> Option<T> {
        let length = usize::try_from(self.number()?).ok()?;
        let (json, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        anyturn_json::from_slice(json).ok()
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        let mut list = Vec::with_capacity(usize::try_from(length.min(MOST)).ok()?);
        for _ in 0..length {
            list.push(item(self)?);
        }
        Some(list)
    }

    fn message(&mut self) -> Option<Message> {
        let role = match self.byte()? {
            0 => Role::System,
            1 => Role::User,
            2 => Role::Assistant,
            3 => Role::Tool,
            _ => return None,
        };
        Some(Message {
            role,
            parts: self.list(Reader::part)?,
        })
    }

    fn part(&mut self) -> Option<Part> {
        Some(match self.byte()? {
            0 => Part::Text { text: self.text()? },
            1 => Part::Image {
                media_type: self.text()?,
                url: self.text()?,
            },
            2 => Part::ToolCall(ToolCall {
                id: self.text()?,
                name: self.text()?,
                arguments: self.text()?,
            }),
            3 => Part::ToolResult(ToolResult {
                call_id: self.text()?,
                content: self.text()?,
                is_error: self.flag()?,
            }),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::super::agents::{Domain, Found, Status};
    use super::*;
    use crate::journal::TurnStarted;
    use proptest::prelude::*;

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            ".{0,300}".prop_map(|text| Part::Text { text }),
            (".{0,9}", ".{0,9}").prop_map(|(media_type, url)| Part::Image { media_type, url }),
            (".{0,9}", ".{0,9}", ".{0,9}").prop_map(|(id, name, arguments)| Part::ToolCall(ToolCall {
                id,
                name,
                arguments
            })),
            (".{0,9}", ".{0,9}", any::<bool>()).prop_map(|(call_id, content, is_error)| {
                Part::ToolResult(ToolResult {
                    call_id,
                    content,
                    is_error,
                })
            }),
        ]
    }

    fn snapshot() -> impl Strategy<Value = Snapshot> {
        let role = prop_oneof![
            Just(Role::System),
            Just(Role::User),
            Just(Role::Assistant),
            Just(Role::Tool)
        ];
        let message =
            (role, prop::collection::vec(part(), 0..4)).prop_map(|(role, parts)| Message { role, parts });
        let exchange = prop::collection::vec(message, 0..5).prop_map(|messages| Exchange { messages });
        let origin = prop::option::of((".{0,9}", ".{0,9}"));
        let head = (".{0,20}", ".{0,20}", any::<u64>(), any::<bool>(), origin).prop_map(
            |(assistant, title, created_at, detached, origin)| Head {
                assistant,
                title,
                created_at,
                detached,
                origin,
            },
        );
        let waiting = (".{0,9}", 0u64..99)
            .prop_map(|(turn, first)| Progress::new(turn, first, 7, TurnStarted::default()));
        let action = (".{0,9}", any::<u64>(), prop::collection::vec(any::<u32>(), 0..3)).prop_map(
            |(call, until, settled)| Action {
                call,
                title: "Add".into(),
                server: "s".into(),
                until,
                inverses: Vec::new(),
                unknown: settled.clone(),
                settled,
                by: None,
            },
        );
        let command = (
            ".{0,9}",
            prop::collection::vec(0usize..300, 0..3),
            0u32..4,
            0usize..5,
        )
            .prop_map(|(agent, after, round, status)| Command {
                text: agent.clone(),
                agent,
                after,
                round,
                status: Status::ALL[status],
            });
        let domain = (".{0,9}", ".{0,99}", any::<bool>()).prop_map(|(agent, data, worked)| Domain {
            working: vec![Found {
                call: "c".into(),
                title: agent.clone(),
                data,
            }],
            calls: vec![(agent.clone(), worked)],
            last_action: String::new(),
            agent,
        });
        let domains = (
            ".{0,9}",
            prop::collection::vec(command, 0..3),
            prop::collection::vec(domain, 0..3),
        )
            .prop_map(|(notes, commands, known)| Domains {
                notes,
                commands,
                known,
            });
        let gates = (
            prop::collection::vec(waiting, 0..3),
            prop::collection::vec((".{0,9}", ".{0,9}"), 0..3),
            prop::collection::vec(action, 0..3),
            domains,
        );
        (
            head,
            any::<u64>(),
            any::<u64>(),
            prop::collection::vec(exchange, 0..4),
            gates,
        )
            .prop_map(
                |(head, updated_at, ttl, exchanges, (waiting, allowed, actions, domains))| Snapshot {
                    head,
                    updated_at,
                    ttl,
                    exchanges,
                    waiting,
                    standing: Standing {
                        allowed,
                        actions,
                        domains,
                    },
                },
            )
    }

    proptest! {
        #[test]
        fn a_snapshot_reads_as_it_was_written(snapshot in snapshot()) {
            prop_assert_eq!(Snapshot::decode(&snapshot.encode()), Some(snapshot));
        }

        #[test]
        fn a_snapshot_that_was_cut_or_extended_is_none(snapshot in snapshot(), cut in any::<usize>()) {
            let mut bytes = snapshot.encode();
            bytes.push(0);
            prop_assert_eq!(Snapshot::decode(&bytes), None);
            bytes.truncate(cut % (bytes.len() - 1));
            prop_assert_eq!(Snapshot::decode(&bytes), None);
        }

        #[test]
        fn no_bytes_do_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            Snapshot::decode(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            Snapshot::decode(&bytes);
        }
    }

    #[test]
    fn a_snapshot_of_another_version_is_none() {
        assert_eq!(Snapshot::decode(&[2, 0, 0, 0]), None);
        assert_eq!(Snapshot::decode(b"{\"v\":1}"), None);
        assert_eq!(Snapshot::decode(&[]), None);
    }
}
