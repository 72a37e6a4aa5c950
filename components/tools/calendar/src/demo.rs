//! The calendar of users who have connected none: believable events in the user's own scope of the store, so that
//! everything can be tried. It is seeded once, when it is used first, with days relative to that one (`seed`).
//!
//! | what                | name         | holds                                                        |
//! |---------------------|--------------|--------------------------------------------------------------|
//! | document            | `demo`       | that there is a demo calendar, and since when                |
//! | document            | `event/<id>` | an event; 30 days longer than the event where it is cancelled |
//! | index               | `events`     | the events that are not cancelled, by when they begin        |
//! | counter             | `events`     | how many there are                                           |
//! | document            | `once/<key>` | outcomes of calls (see `anyturn_tool_sdk::Once`)             |
//!
//! A change is one commit: the event, its place in the index and the outcome, or nothing of them. Nobody is told of
//! anything; what a real calendar would send by mail, the replies say in the same words.

mod others;
mod seed;

use anyturn_people::cast;
use anyturn_state::{Error as StateError, ExpectedVersion, Found as Read, Query, Store, Write};
use anyturn_tool_sdk::{Once, OnceError, Reply};
use jiff::{Span as Duration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::diary::{Busy, Diary, Found, MAX_FOUND, Told, Trouble, overlaps};
use crate::event::{Answer, Attendee, Draft, Event, Patch, Person, Span, midnight};
use crate::free::Stretch;
use crate::moment::Clock;

/// Events that a demo calendar may have.
const MAX_EVENTS: usize = 2000;
/// The longest event, in days: how far before a question's beginning events are looked for.
const MAX_DAYS: i64 = 31;
/// How long a cancelled event can be brought back, in milliseconds.
const KEEP_CANCELLED: u64 = 30 * 24 * 60 * 60 * 1000;
/// The largest value of an index's member.
const MAX_MEMBER: usize = anyturn_state::limits::MAX_MEMBER_VALUE;
/// How often a change starts over that has lost against another one.
const TRIES: usize = 5;

const MARKER: &str = "demo";
const EVENTS: &str = "events";

/// A user's demo calendar, for one request.
pub struct Demo<'a, S> {
    /// The store.
    pub store: &'a S,
    /// The user's scope in it.
    pub scope: String,
    /// The request's idempotency key.
    pub once: Once,
    /// The id of an event that this request makes.
    pub new_id: String,
    /// Where and when the user is.
    pub clock: &'a Clock,
}

/// An event as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    event: Event,
    #[serde(default)]
    cancelled: bool,
}

/// What one request read of an event.
struct Loaded {
    stored: Stored,
    version: u64,
}

impl<S: Store> Diary for Demo<'_, S> {
    async fn owner(&self) -> Result<Person, Trouble> {
        Ok(person(cast::ALEX))
    }

    async fn events(&self, between: Stretch, _text: Option<&str>) -> Result<Found, Trouble> {
        // Whole days begin at other moments elsewhere, up to 14 hours off.
        let slack: Duration = 24.hours();
        let from = between
            .0
            .saturating_sub((MAX_DAYS * 24).hours())
            .unwrap_or(Timestamp::MIN);
        let from = from.saturating_sub(slack).unwrap_or(Timestamp::MIN);
        let to = between.1.saturating_add(slack).unwrap_or(Timestamp::MAX);
        let query = Query::Index {
            index: EVENTS.to_owned(),
            min: from.as_millisecond(),
            max: to.as_millisecond(),
            descending: false,
            offset: 0,
            limit: u32::try_from(MAX_EVENTS).unwrap_or(u32::MAX),
        };
        let read = self.read(vec![query]).await?;
        let Some(Read::Index(members)) = read.first() else {
            return Ok(Found::default());
        };
        let mut events = Vec::new();
        for member in members {
            let event: Event = decode(&member.value)?;
            if overlaps(event.span.moments(&self.clock.zone), between) {
                events.push(event);
            }
        }
        events.sort_by_key(|event| (event.span.moments(&self.clock.zone), event.id.clone()));
        let is_cut = events.len() > MAX_FOUND;
        events.truncate(MAX_FOUND);
        Ok(Found { events, is_cut })
    }

    async fn event(&self, id: &str) -> Result<Event, Trouble> {
        let read = self.read(vec![document(id)]).await?;
        let loaded = loaded(read.first(), id)?;
        if loaded.stored.cancelled {
            return Err(Trouble::Cancelled(id.to_owned()));
        }
        Ok(loaded.stored.event)
    }

    async fn busy(&self, between: Stretch, people: &[String]) -> Result<(Vec<Stretch>, Vec<Busy>), Trouble> {
        let events = self.events(between, None).await?.events;
        let stretch = |event: &Event| event.span.moments(&self.clock.zone);
        let own = events
            .iter()
            .filter(|event| event.blocks())
            .map(stretch)
            .collect();
        let theirs = people.iter().map(|address| {
            let Some(usual) = others::busy(address, between, self.clock) else {
                return Busy::NotShared;
            };
            let comes = |event: &&Event| {
                let guest = event.guests.iter().find(|guest| guest.person.address == *address);
                event.busy && guest.is_some_and(|guest| guest.answer != Answer::Declined)
            };
            Busy::At(
                usual
                    .into_iter()
                    .chain(events.iter().filter(comes).map(stretch))
                    .collect(),
            )
        });
        Ok((own, theirs.collect()))
    }

    async fn intended(&self) -> Result<Option<Event>, Trouble> {
        // An effect and its outcome are one commit, so there is nothing between them.
        Ok(None)
    }

    async fn create(&self, draft: &Draft, told: Told<'_>) -> Result<Reply, Trouble> {
        check_length(&draft.span, self.clock)?;
        let mut queries = vec![Query::Counter(EVENTS.to_owned())];
        queries.extend(self.once.query());
        let read = self.read(queries).await?;
        if let Some(reply) = self.once.recorded(read.get(1))? {
            return Ok(reply);
        }
        if let Some(Read::Counter(counter)) = read.first()
            && usize::try_from(counter.value).is_ok_and(|count| count >= MAX_EVENTS)
        {
            return Err(Trouble::Full(MAX_EVENTS));
        }
        let event = self.drafted(draft);
        let mut writes = put(&event, ExpectedVersion::Absent, self.clock)?;
        writes.push(count(1));
        Ok(self
            .once
            .apply(self.store, &self.scope, writes, told(&event, &event))
            .await?)
    }

    async fn change(
        &self,
        id: &str,
        etag: Option<&str>,
        patch: &Patch,
        told: Told<'_>,
    ) -> Result<Reply, Trouble> {
        if let Some(span) = &patch.span {
            check_length(span, self.clock)?;
        }
        let effect = |loaded: Loaded| {
            expect(&loaded, id, etag)?;
            let before = loaded.stored.event;
            if patch.is_done(&before) {
                return Ok((Vec::new(), told(&before, &before)));
            }
            let after = Event {
                title: patch.title.clone().unwrap_or_else(|| before.title.clone()),
                span: patch.span.unwrap_or(before.span),
                location: patch.location.clone().unwrap_or_else(|| before.location.clone()),
                description: patch
                    .description
                    .clone()
                    .unwrap_or_else(|| before.description.clone()),
                guests: patch.guests(&before),
                etag: etag_of(loaded.version + 1),
                ..before.clone()
            };
            let writes = put(&after, ExpectedVersion::Exactly(loaded.version), self.clock)?;
            Ok((writes, told(&before, &after)))
        };
        self.once_for(id, effect).await
    }

    async fn cancel(&self, id: &str, etag: Option<&str>, told: Told<'_>) -> Result<Reply, Trouble> {
        let effect = |loaded: Loaded| {
            expect(&loaded, id, etag)?;
            let event = loaded.stored.event;
            let (version, reply) = (loaded.version, told(&event, &event));
            let stored = Stored {
                event: Event {
                    etag: etag_of(version + 1),
                    ..event
                },
                cancelled: true,
            };
            let writes = vec![
                Write::Put {
                    document: name(id),
                    expected: ExpectedVersion::Exactly(version),
                    value: encode(&stored)?,
                    ttl: Some(KEEP_CANCELLED),
                },
                Write::IndexRemove {
                    index: EVENTS.to_owned(),
                    member: id.to_owned(),
                },
                count(-1),
            ];
            Ok((writes, reply))
        };
        self.once_for(id, effect).await
    }

    async fn restore(&self, id: &str, told: Told<'_>) -> Result<Reply, Trouble> {
        let effect = |loaded: Loaded| {
            let before = loaded.stored.event;
            if !loaded.stored.cancelled {
                return Ok((Vec::new(), told(&before, &before)));
            }
            let after = Event {
                etag: etag_of(loaded.version + 1),
                ..before.clone()
            };
            let mut writes = put(&after, ExpectedVersion::Exactly(loaded.version), self.clock)?;
            writes.push(count(1));
            Ok((writes, told(&before, &after)))
        };
        self.once_for(id, effect).await
    }
}

impl<S: Store> Demo<'_, S> {
    /// Reads, after the calendar was seeded where there was none.
    async fn read(&self, queries: Vec<Query>) -> Result<Vec<Read>, Trouble> {
        let with_marker: Vec<Query> = std::iter::once(Query::Document(MARKER.to_owned()))
            .chain(queries.iter().cloned())
            .collect();
        let mut read = self.store.read(&self.scope, with_marker).await?;
        if let Some(Read::Document(Some(_))) = read.first() {
            read.remove(0);
            return Ok(read);
        }
        self.seed().await?;
        Ok(self.store.read(&self.scope, queries).await?)
    }

    async fn seed(&self) -> Result<(), Trouble> {
        let events = seed::events(self.clock);
        let mut writes = vec![Write::Put {
            document: MARKER.to_owned(),
            expected: ExpectedVersion::Absent,
            value: encode(&self.clock.now)?,
            ttl: None,
        }];
        for event in &events {
            writes.extend(put(event, ExpectedVersion::Any, self.clock)?);
        }
        writes.push(count(i64::try_from(events.len()).unwrap_or_default()));
        match self.store.commit(&self.scope, writes, Vec::new()).await {
            // Somebody else has seeded it in the meantime.
            Ok(_) | Err(StateError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Commits a change of one event once. Without writes there is nothing to commit.
    async fn once_for(
        &self,
        id: &str,
        effect: impl Fn(Loaded) -> Result<(Vec<Write>, Reply), Trouble>,
    ) -> Result<Reply, Trouble> {
        for _ in 0..TRIES {
            let mut queries = vec![document(id)];
            queries.extend(self.once.query());
            let read = self.read(queries).await?;
            if let Some(reply) = self.once.recorded(read.get(1))? {
                return Ok(reply);
            }
            let (writes, reply) = effect(loaded(read.first(), id)?)?;
            if writes.is_empty() {
                return Ok(reply);
            }
            match self.once.apply(self.store, &self.scope, writes, reply).await {
                Err(OnceError::State(StateError::Conflict { .. })) => {}
                other => return Ok(other?),
            }
        }
        Err(Trouble::Changed)
    }

    fn drafted(&self, draft: &Draft) -> Event {
        let Draft {
            title,
            span,
            location,
            description,
            video,
            guests,
        } = draft.clone();
        Event {
            video: video.then(|| format!("https://meet.example/{}", self.new_id)),
            organizer: (!guests.is_empty()).then(|| person(cast::ALEX)),
            guests: guests
                .into_iter()
                .map(|person| Attendee {
                    person,
                    answer: Answer::Invited,
                })
                .collect(),
            id: self.new_id.clone(),
            title,
            span,
            location,
            description,
            more_guests: 0,
            own: true,
            answer: Answer::Accepted,
            busy: true,
            recurring: false,
            etag: etag_of(1),
        }
    }
}

fn person(known: cast::Person) -> Person {
    Person {
        name: known.name.to_owned(),
        address: known.address.to_owned(),
    }
}

fn check_length(span: &Span, clock: &Clock) -> Result<(), Trouble> {
    let (start, end) = span.moments(&clock.zone);
    if end.duration_since(start).as_hours() > MAX_DAYS * 24 {
        return Err(Trouble::Invalid(format!(
            "An event of the demo calendar lasts at most {MAX_DAYS} days."
        )));
    }
    Ok(())
}

/// Whether an event may be changed.
fn expect(loaded: &Loaded, id: &str, etag: Option<&str>) -> Result<(), Trouble> {
    let Stored { event, cancelled } = &loaded.stored;
    if *cancelled {
        return Err(Trouble::Cancelled(id.to_owned()));
    }
    if !event.own {
        let organizer = event.organizer.as_ref().map_or("Somebody else", Person::called);
        return Err(Trouble::NotOrganizer(organizer.to_owned()));
    }
    match etag {
        Some(etag) if etag != event.etag => Err(Trouble::Changed),
        _ => Ok(()),
    }
}

fn etag_of(version: u64) -> String {
    format!("\"{version}\"")
}

fn name(id: &str) -> String {
    format!("event/{}", anyturn_tool_sdk::escape(id))
}

fn document(id: &str) -> Query {
    Query::Document(name(id))
}

fn count(delta: i64) -> Write {
    Write::Add {
        counter: EVENTS.to_owned(),
        delta,
        ttl: None,
    }
}

fn loaded(read: Option<&Read>, id: &str) -> Result<Loaded, Trouble> {
    match read {
        Some(Read::Document(Some(document))) => Ok(Loaded {
            stored: decode(&document.value)?,
            version: document.version,
        }),
        _ => Err(Trouble::NoSuchEvent(id.chars().take(100).collect())),
    }
}

/// Writes an event and its place in the index.
fn put(event: &Event, expected: ExpectedVersion, clock: &Clock) -> Result<Vec<Write>, Trouble> {
    let member = encode(event)?;
    if member.len() > MAX_MEMBER {
        return Err(Trouble::Invalid(
            "Description, location and guests are too long together: an event of the demo calendar has room for about \
             4,000 bytes."
                .to_owned(),
        ));
    }
    let stored = Stored {
        event: event.clone(),
        cancelled: false,
    };
    let score = match event.span {
        Span::Days { first, .. } => midnight(first, &jiff::tz::TimeZone::UTC),
        Span::Times { .. } => event.span.moments(&clock.zone).0,
    };
    Ok(vec![
        Write::Put {
            document: name(&event.id),
            expected,
            value: encode(&stored)?,
            ttl: None,
        },
        Write::IndexPut {
            index: EVENTS.to_owned(),
            member: event.id.clone(),
            score: score.as_millisecond(),
            value: member,
            only_existing: false,
        },
    ])
}

fn decode<T: serde::de::DeserializeOwned>(value: &[u8]) -> Result<T, Trouble> {
    anyturn_json::from_slice(value)
        .map_err(|error| Trouble::State(StateError::Corrupt(format!("an event: {error}"))))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Trouble> {
    serde_json::to_vec(value)
        .map_err(|error| Trouble::State(StateError::Invalid(format!("an event: {error}"))))
}
