//! Finding a time for several people.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

mod support;

use serde_json::json;
use support::Server;

#[test]
fn a_slot_on_thursday_afternoon_is_found_for_both() {
    let server = Server::new();
    let said = server.ann(
        "find_free_time",
        json!({"duration_minutes": 30, "attendees": ["Sarah"], "window": "Thursday afternoon"}),
    );
    assert_eq!(
        said.text,
        "30 minutes are free for you and Sarah Chen (Thursday afternoon):\n\
         1. Thursday, 26 November, 14:00–14:30\n\
         2. Thursday, 26 November, 14:30–15:00\n\
         3. Thursday, 26 November, 17:30–18:00"
    );
    assert_eq!(
        said.structured["attendees"][0]["address"],
        "sarah.chen@northwind.example"
    );
    assert_eq!(
        said.structured["slots"][0],
        json!({"number": 1, "start": "2026-11-26T14:00:00+01:00", "end": "2026-11-26T14:30:00+01:00"})
    );
}

/// Seeded on any day, the demo keeps what its conversations count on.
#[test]
fn whatever_day_it_is_thursday_afternoon_has_a_slot() {
    for day in 16..=22 {
        for hour in ["00", "12", "22"] {
            let server = Server::at(&format!("2026-11-{day}T{hour}:30:00Z"), "America/New_York");
            let said = server.ann(
                "find_free_time",
                json!({"duration_minutes": 30, "attendees": ["Sarah"], "window": "Thursday afternoon"}),
            );
            assert!(
                said.slots().iter().any(|slot| slot.contains("T14:")),
                "on {day} at {hour}: {}",
                said.text
            );
            let tomorrow = server.ann("list_events", json!({"day": "tomorrow"}));
            for title in ["Stand-up", "Lumen kick-off", "Design review"] {
                assert!(
                    tomorrow.titles().contains(&title.to_owned()),
                    "on {day} at {hour}: {}",
                    tomorrow.text
                );
            }
        }
    }
}

#[test]
fn what_was_declined_and_what_is_no_work_does_not_block() {
    let server = Server::new();
    let free = |window: &str| {
        server
            .ann(
                "find_free_time",
                json!({"duration_minutes": 60, "window": window}),
            )
            .slots()
    };
    let declined = server.ann("list_events", json!({"day": "2026-11-26", "text": "vendor"}));
    assert!(declined.text.contains("(you declined)"), "{}", declined.text);
    assert_eq!(
        free("2026-11-26 between 14:00 and 15:00"),
        ["2026-11-26T14:00 2026-11-26T15:00"]
    );
    // A birthday is a whole day, and takes nobody's time; an offsite does.
    assert_eq!(free("2026-11-25 between 14:00 and 15:00").len(), 1);
    let offsite = server.ann("find_free_time", json!({"window": "2026-12-02"}));
    assert_eq!(
        offsite.text,
        "There are no 30 minutes free (2026-12-02). Try another time, or a shorter one."
    );
}

#[test]
fn a_calendar_that_is_not_shared_is_said_and_does_not_count() {
    let server = Server::new();
    let said = server.ann(
        "find_free_time",
        json!({"attendees": ["Tom", "priya", "stranger@elsewhere.example"], "window": "monday 14:00-16:00", "limit": 1}),
    );
    assert_eq!(said.slots(), ["2026-11-23T15:30 2026-11-23T16:00"]);
    assert!(
        said.text.ends_with(
            "\nThe calendars of Tom Okafor and stranger@elsewhere.example are not shared with you, so whether they have \
             time is not known."
        ),
        "{}",
        said.text
    );
    assert_eq!(
        said.structured["not_shared"],
        json!(["tom.okafor@lumen.example", "stranger@elsewhere.example"])
    );
}

#[test]
fn a_new_meeting_blocks_its_guests_too() {
    let server = Server::new();
    let marcus = || {
        let arguments =
            json!({"attendees": ["marcus"], "window": "friday 13:00-14:00", "duration_minutes": 60});
        server.ann("find_free_time", arguments).slots()
    };
    assert_eq!(marcus(), ["2026-11-27T13:00 2026-11-27T14:00"]);
    server.ann(
        "create_event",
        json!({"title": "Plan", "start": "2026-11-27T13:00", "duration_minutes": 30, "attendees": ["marcus.webb@northwind.example"]}),
    );
    assert_eq!(marcus(), [""; 0]);
}

#[test]
fn a_name_that_means_several_or_nobody_is_not_guessed() {
    let server = Server::new();
    let nobody = server.refuses("find_free_time", json!({"attendees": ["Zoë"]}));
    assert_eq!(
        nobody,
        "attendees: nobody in the user's meetings is called “Zoë”. Use the e-mail address; search_contacts finds it."
    );
    let several = server.refuses("find_free_time", json!({"attendees": ["northwind"]}));
    assert!(
        several.starts_with(
            "attendees: “northwind” could be any of these; ask which one is meant, and use the address:\n- "
        ),
        "{several}"
    );
    let mine = server.ann(
        "find_free_time",
        json!({"attendees": ["me", "Sarah Chen", "sarah.chen@northwind.example"]}),
    );
    assert_eq!(
        mine.structured["attendees"].as_array().unwrap().len(),
        1,
        "each person once, and not the user"
    );
}

#[test]
fn wrong_arguments_are_refused_with_what_would_be_right() {
    let server = Server::new();
    for (arguments, message) in [
        (
            json!({"duration_minutes": 2}),
            "duration_minutes: must be from 5 to 1440 minutes.",
        ),
        (json!({"limit": 99}), "limit: must be from 1 to 20."),
        (
            json!({"attendees": vec!["a@b.example"; 51]}),
            "attendees: must be at most 50.",
        ),
    ] {
        assert_eq!(server.refuses("find_free_time", arguments), message);
    }
    let window = server.refuses("find_free_time", json!({"window": "whenever it rains"}));
    assert!(
        window.starts_with("window: “whenever it rains” is no time that is understood here"),
        "{window}"
    );
}
