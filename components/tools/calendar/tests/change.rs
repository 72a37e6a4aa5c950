//! Making, changing and cancelling events.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

mod support;

use serde_json::{Value, json};
use support::{Said, Server, both};

/// An event without what every change changes.
fn content(event: &Value) -> Value {
    let mut event = event.clone();
    event.as_object_mut().unwrap().remove("etag");
    event
}

fn asks(said: &Said) -> bool {
    said.inverse["destructiveHint"] != json!(false)
}

#[test]
fn an_event_for_oneself_is_made_and_removed_without_a_question() {
    both(|server| {
        let made = server.ann(
        "create_event",
        json!({"title": " Dentist \n", "start": "2026-11-24T09:00", "duration_minutes": 45, "location": "Harbor Road"}),
    );
        assert_eq!(
            made.text,
            "“Dentist” is in your calendar: Tuesday, 24 November, 09:00–09:45."
        );
        assert_eq!(
            (&made.event()["guest_count"], &made.event()["own"]),
            (&json!(0), &json!(true))
        );
        assert!(!asks(&made));
        let gone = server.undo(&made);
        assert_eq!(
            gone.text,
            "Cancelled “Dentist”, Tuesday, 24 November, 09:00–09:45."
        );
        assert!(
            server
                .refuses("read_event", json!({"event": made.id()}))
                .ends_with("was cancelled.")
        );
        assert!(!asks(&gone));
        let back = server.undo(&gone);
        assert_eq!(content(back.event()), content(made.event()));
        assert_eq!(
            server.ann("read_event", json!({"event": made.id()})).event()["title"],
            "Dentist"
        );
    });
}

#[test]
fn a_meeting_names_who_is_invited_and_undoing_it_asks_first() {
    both(|server| {
        let made = server.ann(
        "create_event",
        json!({
            "title": "Roadmap", "start": "2026-11-26T14:00:00+01:00", "duration_minutes": 30, "video_link": true,
            "attendees": ["Sarah.Chen@northwind.example", "tom.okafor@lumen.example", "alex.kim@northwind.example"],
        }),
    );
        assert_eq!(
            made.text,
            "“Roadmap” is scheduled: Thursday, 26 November, 14:00–14:30. sarah.chen@northwind.example and \
         tom.okafor@lumen.example were invited."
        );
        assert_eq!(made.event()["organizer"]["address"], "alex.kim@northwind.example");
        assert!(
            made.event()["video_link"]
                .as_str()
                .unwrap()
                .starts_with("https://")
        );
        assert!(asks(&made), "cancelling sends mail");
        assert_eq!(
            made.inverse["title"],
            "Cancel “Roadmap”, and tell those who were invited"
        );
        let gone = server.undo(&made);
        assert!(gone.text.ends_with("All 2 guests were told."), "{}", gone.text);
        assert!(asks(&gone));
        let back = server.undo(&gone);
        assert!(
            back.text.ends_with("All 2 guests were invited again."),
            "{}",
            back.text
        );
    });
}

/// The engine counts what a call says: a call with people in it is asked about, one without any is not.
#[test]
fn inviting_is_asked_about_and_an_event_for_oneself_is_not() {
    let tools: Value = serde_json::from_str(include_str!("../tools.json")).unwrap();
    let about = |name: &str| {
        let tool = tools
            .as_array()
            .unwrap()
            .iter()
            .find(|tool| tool["name"] == name)
            .unwrap();
        (
            tool["_meta"]["anyturn.dev/counted"].clone(),
            tool["_meta"]["anyturn.dev/confirm-above"].clone(),
            tool["annotations"]["destructiveHint"].clone(),
        )
    };
    assert_eq!(
        about("create_event"),
        (json!("attendees"), json!(0), json!(false))
    );
    for risky in ["update_event", "cancel_event", "restore_event"] {
        assert_eq!(about(risky).2, true, "{risky}");
    }
}

#[test]
fn nobody_gets_mail_by_a_name_alone() {
    both(|server| {
        let meeting = |attendees: Value| {
            server.refuses(
                "create_event",
                json!({"title": "x", "start": "2026-11-26T14:00", "attendees": attendees}),
            )
        };
        assert_eq!(
            meeting(json!(["Sarah"])),
            "attendees: “Sarah” is no e-mail address. search_contacts and find_free_time tell the addresses of people."
        );
        assert!(meeting(json!(["a@b.example, c@d.example"])).contains("is no e-mail address"));
        let alone =
            json!({"title": "x", "start": "2026-11-26T14:00", "attendees": ["alex.kim@northwind.example"]});
        assert_eq!(
            server.ann("create_event", alone).event()["guest_count"],
            0,
            "the user is no guest"
        );
    });
}

#[test]
fn every_change_can_be_undone_by_the_call_it_names() {
    both(|server| {
        let alone = server.ann(
        "create_event",
        json!({"title": "Focus", "start": "2026-11-24T09:00", "location": "Home", "description": "Write."}),
    );
        let days = server.ann(
            "create_event",
            json!({"title": "Trip", "start": "2026-12-07", "end": "2026-12-09"}),
        );
        let meeting = server.ann(
        "create_event",
        json!({"title": "Plan", "start": "2026-11-24T14:00", "attendees": ["priya.nair@northwind.example"]}),
    );
        for (made, change) in [
            (&alone, json!({"title": "Deep work"})),
            (&alone, json!({"start": "2026-11-25T10:00"})),
            (&alone, json!({"duration_minutes": 90})),
            (&alone, json!({"start": "2026-11-25"})),
            (&alone, json!({"location": "", "description": ""})),
            (
                &alone,
                json!({"title": "All", "start": "2026-12-01T08:00", "duration_minutes": 15, "location": "Office"}),
            ),
            (
                &alone,
                json!({"add_attendees": ["marcus.webb@northwind.example"]}),
            ),
            (&days, json!({"start": "2026-12-14"})),
            (&days, json!({"last_day": "2026-12-08"})),
            (&days, json!({"start": "2026-12-07T09:00"})),
            (
                &meeting,
                json!({"remove_attendees": ["priya.nair@northwind.example"], "add_attendees": ["tom.okafor@lumen.example"]}),
            ),
        ] {
            let mut arguments = change.clone();
            arguments["event"] = json!(made.id());
            let changed = server.ann("update_event", arguments);
            assert_ne!(content(changed.event()), content(made.event()), "{change}");
            let undone = server.undo(&changed);
            assert_eq!(
                content(undone.event()),
                content(made.event()),
                "{change}\n{:?}",
                changed.inverse
            );
            let private = made.event()["guest_count"] == 0 && changed.event()["guest_count"] == 0;
            assert_eq!(asks(&changed), !private, "{change}");
        }
    });
}

#[test]
fn a_change_says_what_changed_and_who_was_told() {
    let server = Server::new();
    let moved = server.ann(
        "update_event",
        json!({"event": "kick-off", "start": "2026-11-24T10:00", "location": "Room 4"}),
    );
    assert_eq!(
        moved.text,
        "Changed “Lumen kick-off”: it is Tuesday, 24 November, 10:00–11:00; its place is Room 4. All 3 guests were told."
    );
    let answers: Vec<&str> = moved.event()["guests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|guest| guest["answer"].as_str().unwrap())
        .collect();
    assert_eq!(
        answers, ["invited"; 3],
        "who accepted another time has not accepted this one"
    );
    let same = server.ann("update_event", json!({"event": "kick-off", "location": "Room 4"}));
    assert_eq!(
        same.text,
        "“Lumen kick-off” is so already: Tuesday, 24 November, 10:00–11:00."
    );
    assert_eq!(same.inverse, Value::Null);
    assert!(
        server
            .refuses("update_event", json!({"event": "kick-off"}))
            .starts_with("Say what is to change")
    );
}

#[test]
fn what_others_organize_cannot_be_changed_or_cancelled() {
    let server = Server::new();
    let message = "Priya Nair organizes this event, so only they can change or cancel it. Ask them.";
    assert_eq!(
        server.refuses("cancel_event", json!({"event": "design review"})),
        message
    );
    assert_eq!(
        server.refuses("update_event", json!({"event": "design review", "title": "x"})),
        message
    );
}

#[test]
fn a_change_of_an_event_that_was_changed_since_is_refused() {
    both(|server| {
        let made = server.ann(
            "create_event",
            json!({"title": "Focus", "start": "2026-11-24T09:00"}),
        );
        let etag = made.event()["etag"].clone();
        server.ann("update_event", json!({"event": made.id(), "title": "Deep work"}));
        let stale = "The event was changed in the meantime. Read it again, and decide whether the change still makes sense.";
        assert_eq!(
            server.refuses(
                "update_event",
                json!({"event": made.id(), "etag": etag, "title": "x"})
            ),
            stale
        );
        assert_eq!(
            server.refuses("cancel_event", json!({"event": made.id(), "etag": etag})),
            stale
        );
        let read = server.ann("read_event", json!({"event": made.id()}));
        let fresh = json!({"event": made.id(), "etag": read.event()["etag"], "title": "Rest"});
        assert_eq!(server.ann("update_event", fresh).event()["title"], "Rest");
    });
}

#[test]
fn times_are_the_users_clock_across_a_change_of_it() {
    both(|server| {
        server.set("2026-03-20T10:00:00Z", "Europe/Berlin");
        // Planned in winter for a day in summer, with the offset that the clock has now.
        let made = server.ann(
            "create_event",
            json!({"title": "Picnic", "start": "2026-04-05T15:00:00+01:00"}),
        );
        assert_eq!(made.event()["start"], "2026-04-05T15:00:00+02:00");
        // The night in which an hour is missing.
        let night = server.ann(
            "create_event",
            json!({"title": "Night", "start": "2026-03-28T23:30", "end": "2026-03-29T03:30"}),
        );
        assert!(
            night
                .text
                .ends_with("Saturday, 28 March, 23:30–03:30 (Sunday, 29 March)."),
            "{}",
            night.text
        );
        assert_eq!(night.event()["end"], "2026-03-29T03:30:00+02:00");
        server.travel("America/New_York");
        let there = server.ann("read_event", json!({"event": made.id()}));
        assert_eq!(there.event()["start"], "2026-04-05T09:00:00-04:00");
    });
}

#[test]
fn what_makes_no_event_is_refused_with_what_would_be_right() {
    let server = Server::new();
    let long = "x".repeat(201);
    for (arguments, message) in [
        (
            json!({"title": " ", "start": "2026-11-24"}),
            "title: must not be empty.",
        ),
        (
            json!({"title": long, "start": "2026-11-24"}),
            "title: must have at most 200 characters.",
        ),
        (
            json!({"title": "a", "start": "soon"}),
            "start: “soon” is no date and time; write it as 2026-11-26T15:00, or as 2026-11-26 for a whole day.",
        ),
        (
            json!({"title": "a", "start": "2026-11-24T10:00", "end": "2026-11-24T09:00"}),
            "end: must be later than start.",
        ),
        (
            json!({"title": "a", "start": "2026-11-24", "end": "2026-11-23"}),
            "end: must be later than start.",
        ),
        (
            json!({"title": "a", "start": "2026-11-24", "duration_minutes": 30}),
            "start: names a day without a time; say when on that day it begins.",
        ),
        (
            json!({"title": "a", "start": "2026-11-19T10:00"}),
            "start: yesterday, Thursday, 19 November, 10:00–11:00 is over. The user's clock shows \
             2026-11-20T11:00:00+01:00.",
        ),
        (
            json!({"title": "a", "start": "2026-11-24", "end": "2027-01-24"}),
            "An event of the demo calendar lasts at most 31 days.",
        ),
    ] {
        assert_eq!(server.refuses("create_event", arguments), message);
    }
    let full = server.refuses(
        "create_event",
        json!({"title": "a", "start": "2026-11-24", "description": "ü".repeat(2000), "location": "ü".repeat(200)}),
    );
    assert!(full.contains("room for about 4,000 bytes"), "{full}");
}
