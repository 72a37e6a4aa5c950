//! The calendar of whoever has connected a Google account: its primary one.
//!
//! **What happens once.** Google takes no idempotency keys. So before anything is changed, what is about to be done is
//! recorded in the store under the call's key, on the condition that the call's time is not over; afterwards the reply is.
//!
//! - A new event has an id that comes from the key. Made again, Google says that the id is taken, and the event is read.
//! - A change is recorded with the event as it was. A repeated call tells by that what the first one found, and by the
//!   event as it is now whether anything is left to be done; the change itself names the etag that was read, so that two
//!   changes at once cannot both be made of the same state.
//! - A cancellation that finds the event gone, and recorded that it was there, has taken place.

mod convert;

use anyturn_google::calendar::{Calendar, Event as Resource, Status};
use anyturn_google::{Error, Network};
use anyturn_people::address;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Failure, Once, Reply};

use crate::diary::{Busy, Diary, Found, MAX_FOUND, Told, Trouble};
use crate::event::{Draft, Event, Patch, Person};
use crate::free::Stretch;
use crate::moment::Clock;

/// How often a change starts over that finds the event changed by somebody else.
const TRIES: usize = 4;

/// A user's Google calendar, for one call of a tool.
pub struct Google<'a, S, N> {
    /// The calendar.
    pub calendar: Calendar<'a, N>,
    /// Where it is recorded what happens.
    pub store: &'a S,
    /// The user's scope in it.
    pub scope: String,
    /// The call.
    pub call: &'a Call<'a>,
    /// The id of an event that this call makes.
    pub new_id: String,
    /// Where and when the user is.
    pub clock: &'a Clock,
}

impl<S: Store, N: Network> Diary for Google<'_, S, N> {
    async fn owner(&self) -> Result<Person, Trouble> {
        let address = self.calendar.address();
        Ok(Person {
            name: String::new(),
            address: address::parse(address).unwrap_or_else(|| address.to_owned()),
        })
    }

    async fn events(&self, between: Stretch, text: Option<&str>) -> Result<Found, Trouble> {
        let (from, to) = (between.0.to_string(), between.1.to_string());
        let list = async |text| {
            let listed = self.calendar.events((&from, &to), text, MAX_FOUND).await;
            listed.map_err(|error| self.trouble(error, ""))
        };
        let mut listed = list(None).await?;
        // Google finds whole words only, and not the beginnings of words: its search is the second choice.
        if !listed.is_complete && text.is_some() {
            listed = list(text).await?;
        }
        let events = listed.items.iter().filter(|event| convert::is_event(event));
        Ok(Found {
            events: events.filter_map(convert::read).collect(),
            is_cut: !listed.is_complete,
        })
    }

    async fn event(&self, id: &str) -> Result<Event, Trouble> {
        let resource = self.resource(id).await?;
        if resource.status == Status::Cancelled {
            return Err(Trouble::Cancelled(id.to_owned()));
        }
        readable(&resource)
    }

    async fn busy(&self, between: Stretch, people: &[String]) -> Result<(Vec<Stretch>, Vec<Busy>), Trouble> {
        let calendars: Vec<String> = std::iter::once("primary".to_owned())
            .chain(people.iter().cloned())
            .collect();
        let (from, to) = (between.0.to_string(), between.1.to_string());
        let found = self.calendar.free_busy((&from, &to), &calendars).await;
        let mut found = found.map_err(|error| self.trouble(error, ""))?.into_iter();
        let own = match found.next().map(|own| convert::busy(&own)) {
            Some(Busy::At(own)) => own,
            _ => {
                return Err(Trouble::Refused(Failure::Broken(
                    "Google does not tell when the user's own calendar is busy.".to_owned(),
                )));
            }
        };
        Ok((own, found.map(|theirs| convert::busy(&theirs)).collect()))
    }

    async fn intended(&self) -> Result<Option<Event>, Trouble> {
        self.earlier().await
    }

    async fn create(&self, draft: &Draft, told: Told<'_>) -> Result<Reply, Trouble> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        self.record(&self.new_id).await?;
        let body = convert::new(&self.new_id, draft, self.clock);
        let made = self.calendar.insert(&self.new_id, &body).await;
        let event = readable(&made.map_err(|error| self.trouble(error, &self.new_id))?)?;
        self.settle(told(&event, &event)).await
    }

    async fn change(
        &self,
        id: &str,
        etag: Option<&str>,
        patch: &Patch,
        told: Told<'_>,
    ) -> Result<Reply, Trouble> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        let earlier: Option<Event> = self.earlier().await?;
        for _ in 0..TRIES {
            let resource = self.resource(id).await?;
            if resource.status == Status::Cancelled {
                return Err(Trouble::Cancelled(id.to_owned()));
            }
            let now = readable(&resource)?;
            if patch.is_done(&now) {
                let before = earlier.as_ref().unwrap_or(&now);
                return self.settle(told(before, &now)).await;
            }
            let before = match &earlier {
                Some(earlier) => earlier.clone(),
                None => {
                    expect(&now, etag)?;
                    self.record(&now).await?
                }
            };
            let changes = convert::changes(&resource, patch, self.clock)?;
            match self.calendar.patch(id, &resource.etag, &changes).await {
                Ok(changed) => return self.settle(told(&before, &readable(&changed)?)).await,
                // The record of the time before holds: what this call found first.
                Err(error) if error.is_precondition_failed() && etag.is_none() => {}
                Err(error) => return Err(self.trouble(error, id)),
            }
        }
        Err(Trouble::Changed)
    }

    async fn cancel(&self, id: &str, etag: Option<&str>, told: Told<'_>) -> Result<Reply, Trouble> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        let earlier: Option<Event> = self.earlier().await?;
        for _ in 0..TRIES {
            let resource = self.resource(id).await?;
            if resource.status == Status::Cancelled {
                return match &earlier {
                    Some(event) => self.settle(told(event, event)).await,
                    None => Err(Trouble::Cancelled(id.to_owned())),
                };
            }
            let now = readable(&resource)?;
            if earlier.is_none() {
                expect(&now, etag)?;
            }
            self.record(&now).await?;
            match self.calendar.delete(id, &resource.etag).await {
                Ok(()) => return self.settle(told(&now, &now)).await,
                // An answer that was lost on its way said that it was done.
                Err(error) if error.is_not_found() => return self.settle(told(&now, &now)).await,
                Err(error) if error.is_precondition_failed() && etag.is_none() => {}
                Err(error) => return Err(self.trouble(error, id)),
            }
        }
        Err(Trouble::Changed)
    }

    async fn restore(&self, id: &str, told: Told<'_>) -> Result<Reply, Trouble> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        let earlier: Option<Event> = self.earlier().await?;
        for _ in 0..TRIES {
            let resource = self.resource(id).await?;
            let now = readable(&resource)?;
            if resource.status != Status::Cancelled {
                return self.settle(told(earlier.as_ref().unwrap_or(&now), &now)).await;
            }
            expect(&now, None)?;
            let before = self.record(&now).await?;
            match self
                .calendar
                .patch(id, &resource.etag, &convert::confirmed())
                .await
            {
                Ok(changed) => return self.settle(told(&before, &readable(&changed)?)).await,
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(self.trouble(error, id)),
            }
        }
        Err(Trouble::Changed)
    }
}

impl<S: Store, N: Network> Google<'_, S, N> {
    async fn resource(&self, id: &str) -> Result<Resource, Trouble> {
        self.calendar
            .get(id)
            .await
            .map_err(|error| self.trouble(error, id))
    }

    /// What the call came to before, if it did.
    async fn before(&self) -> Result<Option<Reply>, Trouble> {
        let once = Once::of(self.call).map_err(Trouble::Refused)?;
        Ok(once.outcome(self.store, &self.scope).await?)
    }

    /// The record of what is about to be done.
    fn step(&self) -> Result<Once, Trouble> {
        let key = self.call.idempotency_key.map(|key| format!("{key}:before"));
        let call = Call {
            idempotency_key: key.as_deref(),
            ..self.call.clone()
        };
        Once::of(&call).map_err(Trouble::Refused)
    }

    /// What an earlier try recorded.
    async fn earlier<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>, Trouble> {
        Ok(self.step()?.outcome(self.store, &self.scope).await?)
    }

    /// Records what is about to be done, unless the call's time is over; the record of the time before holds.
    async fn record<T>(&self, value: &T) -> Result<T, Trouble>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + Clone,
    {
        let once = self.step()?;
        Ok(once
            .apply(self.store, &self.scope, Vec::new(), value.clone())
            .await?)
    }

    /// Records what the call came to, which is so however late it is.
    async fn settle(&self, reply: Reply) -> Result<Reply, Trouble> {
        let once = Once::new(self.call.idempotency_key, self.call.fingerprint).map_err(Trouble::Refused)?;
        Ok(once.apply(self.store, &self.scope, Vec::new(), reply).await?)
    }

    fn trouble(&self, error: Error, id: &str) -> Trouble {
        if !id.is_empty() && error.is_not_found() {
            return Trouble::NoSuchEvent(id.chars().take(100).collect());
        }
        if error.is_precondition_failed() {
            return Trouble::Changed;
        }
        Trouble::Refused(failure(error, self.call))
    }
}

/// Whether an event may be changed.
fn expect(event: &Event, etag: Option<&str>) -> Result<(), Trouble> {
    if !event.own {
        let organizer = event.organizer.as_ref().map_or("Somebody else", Person::called);
        return Err(Trouble::NotOrganizer(organizer.to_owned()));
    }
    match etag {
        Some(etag) if etag != event.etag => Err(Trouble::Changed),
        _ => Ok(()),
    }
}

fn readable(resource: &Resource) -> Result<Event, Trouble> {
    convert::read(resource).ok_or_else(|| {
        Trouble::Refused(Failure::Broken(
            "Google's answer has an event without a time.".to_owned(),
        ))
    })
}

/// What an error of Google's means for the one who called.
pub fn failure(error: Error, call: &Call<'_>) -> Failure {
    match error {
        Error::Reconnect => Failure::rejected(
            "The connection to the user's Google account has ended. The user has to connect Google again; nothing else \
             helps.",
        ),
        Error::OutOfTime => Failure::TooLate {
            not_after: call.not_after.unwrap_or_default(),
            now: call.now,
        },
        Error::Api(ref refused) if refused.status == 403 && refused.reason == "forbiddenForNonOrganizer" => {
            Failure::rejected("Only the organizer of this event can change it.")
        }
        ref lacking if lacking.lacks_permission() => Failure::rejected(
            "The connected Google account does not allow this. The user has to connect it again and allow access to the \
             calendar.",
        ),
        // What a server that fails has done before nobody knows.
        Error::Api(ref refused) if refused.status >= 500 => Failure::Broken(error.to_string()),
        Error::Api(_) | Error::Busy { .. } => Failure::rejected(error.to_string()),
        Error::Unreachable { .. } | Error::Unknown { .. } | Error::Malformed { .. } => {
            Failure::Broken(error.to_string())
        }
    }
}
