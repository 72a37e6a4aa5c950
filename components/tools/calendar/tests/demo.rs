//! What a user finds in the demo calendar, and can ask about it.

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
fn tomorrow_and_who_is_coming_is_told_in_one_answer() {
    let server = Server::new();
    let said = server.ann("list_events", json!({"day": "tomorrow"}));
    assert_eq!(
        said.text,
        "3 events tomorrow, Saturday, 21 November:\n\
         - 09:30–09:45 “Stand-up”, with Marcus Webb and Priya Nair\n\
         - 11:00–12:00 “Lumen kick-off”, with Tom Okafor, Elena Rossi (not answered yet) and Sarah Chen, at Meeting \
         room Linden\n\
         - 15:00–16:00 “Design review”, with Priya Nair, at Studio, 2nd floor"
    );
    let kickoff = &said.structured["events"][1];
    assert_eq!(kickoff["start"], "2026-11-21T11:00:00+01:00");
    assert_eq!(kickoff["timezone"], "Europe/Berlin");
    assert_eq!(kickoff["guests"][0]["address"], "tom.okafor@lumen.example");
    assert_eq!(kickoff["guests"][1]["answer"], "invited");
    assert!(
        kickoff.get("description").is_none(),
        "a list does not carry all descriptions"
    );
}

#[test]
fn every_user_has_a_calendar_of_their_own_and_it_stays() {
    let server = Server::new();
    let ann = server.ann("list_events", json!({"day": "tomorrow"}));
    server.ann(
        "create_event",
        json!({"title": "Swim", "start": "2026-11-21T07:00"}),
    );
    let bob = server.call("bob", "", "list_events", json!({"day": "tomorrow"}));
    assert_eq!(bob.structured, ann.structured, "another calendar, seeded alike");
    let titles = server.ann("list_events", json!({"day": "tomorrow"})).titles();
    assert_eq!(titles, ["Swim", "Stand-up", "Lumen kick-off", "Design review"]);
}

#[test]
fn events_are_found_by_days_words_and_people() {
    let server = Server::new();
    let titles = |arguments| server.ann("list_events", arguments).titles();
    assert_eq!(titles(json!({"text": "kick off"})), ["Lumen kick-off"]);
    assert_eq!(
        titles(json!({"text": "contract"})),
        ["Lumen kick-off"],
        "by its description"
    );
    assert_eq!(titles(json!({"attendee": "elena"})), ["Lumen kick-off"]);
    assert_eq!(
        titles(json!({"attendee": "tom.okafor@lumen.example"})),
        ["Lumen kick-off"]
    );
    assert_eq!(
        titles(json!({"day": "2026-11-19", "text": "roadmap"})),
        ["Roadmap sync"]
    );
    assert_eq!(
        titles(json!({"from": "2026-11-25", "to": "2026-11-25"})),
        ["Mum's birthday", "Stand-up"]
    );
    assert_eq!(
        server.ann("list_events", json!({"day": "2027-03-01"})).text,
        "There are no events Monday, 1 March 2027."
    );
    let few = server.ann("list_events", json!({"limit": 2}));
    assert_eq!((few.titles().len(), &few.structured["more"]), (2, &json!(true)));
    assert!(
        few.text
            .ends_with("There are more; ask about fewer days to see them."),
        "{}",
        few.text
    );
}

#[test]
fn an_event_across_midnight_is_there_on_both_days() {
    let server = Server::new();
    let night = server.ann("list_events", json!({"day": "2026-11-29"}));
    assert_eq!(
        night.text,
        "1 event Sunday, 29 November:\n- 22:30–01:00 (Monday, 30 November) “Release night”, with Marcus Webb"
    );
    let after = server.ann("list_events", json!({"day": "2026-11-30"})).titles();
    assert_eq!(after, ["Release night", "Stand-up"]);
}

#[test]
fn whole_days_are_the_same_days_everywhere() {
    let server = Server::new();
    server.ann("list_events", json!({}));
    for zone in ["Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles"] {
        server.travel(zone);
        for (day, there) in [
            ("2026-12-01", false),
            ("2026-12-02", true),
            ("2026-12-03", true),
            ("2026-12-04", false),
        ] {
            let titles = server.ann("list_events", json!({"day": day})).titles();
            assert_eq!(
                titles.contains(&"Team offsite".to_owned()),
                there,
                "{zone}, {day}"
            );
        }
    }
    let offsite = server.ann("read_event", json!({"event": "offsite"}));
    assert_eq!(
        (
            &offsite.event()["start"],
            &offsite.event()["end"],
            &offsite.event()["all_day"]
        ),
        (&json!("2026-12-02"), &json!("2026-12-03"), &json!(true))
    );
}

#[test]
fn an_event_is_read_by_its_id_or_the_words_of_its_title() {
    let server = Server::new();
    let kickoff = server.ann("read_event", json!({"event": "the kick-off"}));
    assert_eq!(
        kickoff.text,
        "tomorrow, Saturday, 21 November, 11:00–12:00: “Lumen kick-off”, with Tom Okafor, Elena Rossi (not answered \
         yet) and Sarah Chen, at Meeting room Linden.\n\
         Video: https://meet.example/demokickoff\n\
         Description, as its author wrote it:\n\
         Introductions, scope and dates. Tom brings the contract; Elena presents what they have today."
    );
    assert_eq!(server.ann("read_event", json!({"event": kickoff.id()})), kickoff);
    let next = server.ann("read_event", json!({"event": "stand-up"}));
    assert_eq!(
        next.event()["start"],
        "2026-11-21T09:30:00+01:00",
        "today's is over: {}",
        next.text
    );
    let monday = server.ann("read_event", json!({"event": "stand-up", "day": "monday"}));
    assert_eq!(monday.event()["start"], "2026-11-23T09:30:00+01:00");
}

#[test]
fn what_is_not_there_is_told_with_what_to_do() {
    let server = Server::new();
    assert_eq!(
        server.refuses("read_event", json!({"event": "the gala"})),
        "There is no event like “the gala” from yesterday to 2027-01-19; list_events tells the events and their ids."
    );
    server.ann(
        "create_event",
        json!({"title": "Dentist again", "start": "2026-12-04T08:00"}),
    );
    let several = server.refuses("read_event", json!({"event": "dent"}));
    assert!(
        several.starts_with(
            "Several events fit “dent”:\n- “Dentist”, Friday, 27 November, 08:00–08:45 (demodentist)\n"
        ),
        "{several}"
    );
    assert!(
        several.ends_with("Say which one, by its id or its day."),
        "{several}"
    );
}
