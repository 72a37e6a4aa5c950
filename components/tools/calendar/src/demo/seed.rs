//! What a new demo calendar holds: two weeks of somebody who works on a product, relative to the user's today.
//!
//! Other parts of the demo agree with it: its people are those of `anyturn_people::cast`, and they write about these
//! meetings. On the coming Thursday afternoon the user and Sarah Chen are both free from 14:00 to 15:00, although
//! something that the user has declined lies there.

use anyturn_people::cast::{self, DAD, ELENA, MARCUS, PRIYA, SARAH, TOM};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::{etag_of, person};
use crate::event::{Answer, Attendee, Event, Span};
use crate::moment::Clock;

use Answer::{Accepted, Declined, Invited, Tentative};

/// Hours and minutes of the user's clock.
type Hour = (i8, i8);

/// The events.
pub(super) fn events(clock: &Clock) -> Vec<Event> {
    let today = clock.today();
    let ahead = |days: i32| today.saturating_add(days.days());
    let thursday = today
        .nth_weekday(1, Weekday::Thursday)
        .unwrap_or_else(|_| ahead(1));
    let sunday = today.nth_weekday(1, Weekday::Sunday).unwrap_or_else(|_| ahead(2));
    let at = |day, from, to| timed(clock, day, from, to);

    let mut events: Vec<Event> = (-5..=14)
        .map(ahead)
        .filter(|day| *day == ahead(1) || day.weekday().to_monday_zero_offset() < 5)
        .map(|day| {
            event(
                &format!("standup{}", compact(day)),
                "Stand-up",
                at(day, (9, 30), (9, 45)),
            )
            .by(MARCUS, Accepted)
            .with(MARCUS, Accepted)
            .with(PRIYA, Accepted)
            .video()
            .recurring()
        })
        .collect();
    events.extend([
        event("roadmap", "Roadmap sync", at(ahead(-1), (14, 0), (15, 0)))
            .by(SARAH, Accepted)
            .with(SARAH, Accepted)
            .about("The second quarter: what we promise, and what we do not."),
        event("planning", "Weekly planning", at(today, (14, 0), (14, 30)))
            .by(SARAH, Accepted)
            .with(SARAH, Accepted)
            .with(MARCUS, Accepted)
            .video(),
        event("kickoff", "Lumen kick-off", at(ahead(1), (11, 0), (12, 0)))
            .with(TOM, Accepted)
            .with(ELENA, Invited)
            .with(SARAH, Accepted)
            .at("Meeting room Linden")
            .about("Introductions, scope and dates. Tom brings the contract; Elena presents what they have today.")
            .video(),
        event("design", "Design review", at(ahead(1), (15, 0), (16, 0)))
            .by(PRIYA, Accepted)
            .with(PRIYA, Accepted)
            .at("Studio, 2nd floor")
            .about("The new onboarding: three screens, two open questions."),
        event("oneonone", "1:1 Marcus", at(thursday, (13, 0), (13, 30)))
            .with(MARCUS, Accepted)
            .recurring(),
        event("vendor", "Vendor demo: analytics", at(thursday, (14, 0), (15, 0)))
            .by(MARCUS, Declined)
            .with(MARCUS, Accepted)
            .with(PRIYA, Tentative),
        event("focus", "Focus time", at(thursday, (16, 0), (17, 30))),
        event("birthday", "Mum's birthday", whole(ahead(5), ahead(5))).free(),
        event("dinner", "Dinner with Dad", at(sunday, (18, 0), (20, 0)))
            .with(DAD, Accepted)
            .at("Trattoria Rossa, 12 Mill Street"),
        event("release", "Release night", at(ahead(9), (22, 30), (1, 0)))
            .by(MARCUS, Accepted)
            .with(MARCUS, Accepted)
            .about("Version 2.4. The list of steps is in the wiki."),
        event("offsite", "Team offsite", whole(ahead(12), ahead(13)))
            .by(SARAH, Accepted)
            .with(SARAH, Accepted)
            .with(MARCUS, Accepted)
            .with(PRIYA, Accepted)
            .at("Lakeside House"),
        event("dentist", "Dentist", at(ahead(7), (8, 0), (8, 45))).at("Dr. Ahmed, 4 Harbor Road"),
    ]);
    events
}

fn compact(day: Date) -> String {
    day.strftime("%Y%m%d").to_string()
}

/// Hours of a day; what ends before it begins ends on the day after.
fn timed(clock: &Clock, day: Date, from: Hour, to: Hour) -> Span {
    let end = if to > from {
        day
    } else {
        day.saturating_add(1.day())
    };
    Span::Times {
        start: clock.moment(day.at(from.0, from.1, 0, 0)),
        end: clock.moment(end.at(to.0, to.1, 0, 0)),
    }
}

fn whole(first: Date, last: Date) -> Span {
    Span::Days { first, last }
}

/// An event of the user's own, to which nobody is invited so far.
fn event(id: &str, title: &str, span: Span) -> Event {
    Event {
        id: format!("demo{id}"),
        title: title.to_owned(),
        span,
        location: String::new(),
        description: String::new(),
        video: None,
        organizer: None,
        guests: Vec::new(),
        more_guests: 0,
        own: true,
        answer: Accepted,
        busy: true,
        recurring: false,
        etag: etag_of(1),
    }
}

impl Event {
    /// Made by somebody else, whom the user has answered.
    fn by(mut self, organizer: cast::Person, answer: Answer) -> Event {
        self.organizer = Some(person(organizer));
        self.own = false;
        self.answer = answer;
        self
    }

    /// With somebody, who has answered.
    fn with(mut self, guest: cast::Person, answer: Answer) -> Event {
        self.organizer.get_or_insert_with(|| person(cast::ALEX));
        self.guests.push(Attendee {
            person: person(guest),
            answer,
        });
        self
    }

    fn at(mut self, location: &str) -> Event {
        self.location = location.to_owned();
        self
    }

    fn about(mut self, description: &str) -> Event {
        self.description = description.to_owned();
        self
    }

    fn video(mut self) -> Event {
        self.video = Some(format!("https://meet.example/{}", self.id));
        self
    }

    fn recurring(mut self) -> Event {
        self.recurring = true;
        self
    }

    fn free(mut self) -> Event {
        self.busy = false;
        self
    }
}
