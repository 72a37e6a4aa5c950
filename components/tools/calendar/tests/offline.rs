//! What people say to an assistant with these tools, and what the offline model makes of it.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

#[path = "../../offline.rs"]
mod offline;

#[test]
fn people_are_understood_without_a_language_model() {
    let expected = [
        ("what's on tomorrow", r#"list_events {"day":"2026-11-21"}"#),
        (
            "What's on tomorrow and who is coming?",
            r#"list_events {"day":"2026-11-21"}"#,
        ),
        (
            "what is on my calendar on Monday?",
            r#"list_events {"day":"2026-11-23"}"#,
        ),
        ("show my calendar", "list_events {}"),
        (
            "what meetings do I have next week?",
            r#"list_events {"from":"2026-11-23","to":"2026-11-29"}"#,
        ),
        (
            "list my meetings with Elena Rossi",
            r#"list_events {"attendee":"Elena Rossi"}"#,
        ),
        (
            "find events about the roadmap",
            r#"list_events {"text":"the roadmap"}"#,
        ),
        (
            "tell me more about the design review",
            r#"read_event {"event":"the design review"}"#,
        ),
        (
            "who is coming to the kick-off?",
            r#"read_event {"event":"the kick-off"}"#,
        ),
        (
            "schedule 30 minutes with Sarah on Thursday afternoon",
            r#"find_free_time {"attendees":["Sarah"],"duration_minutes":30,"window":"Thursday afternoon"}"#,
        ),
        (
            "find 20 minutes with Marcus and Priya tomorrow morning",
            r#"find_free_time {"attendees":["Priya","Marcus"],"duration_minutes":20,"window":"tomorrow morning"}"#,
        ),
        (
            "when am I free next week?",
            r#"find_free_time {"window":"next week"}"#,
        ),
        (
            "when are Marcus and I free on Tuesday?",
            r#"find_free_time {"attendees":["Marcus"],"window":"Tuesday"}"#,
        ),
        (
            "put haircut in my calendar on Tuesday at 5pm",
            r#"create_event {"attendees":[],"start":"2026-11-24T17:00:00+01:00","title":"haircut"}"#,
        ),
        (
            "block 45 minutes for reading tomorrow at 10:30",
            r#"create_event {"attendees":[],"duration_minutes":45,"start":"2026-11-21T10:30:00+01:00","title":"reading"}"#,
        ),
        (
            "invite tom.okafor@lumen.example to dinner on Friday at 19:00",
            r#"create_event {"attendees":["tom.okafor@lumen.example"],"start":"2026-11-27T19:00:00+01:00","title":"dinner"}"#,
        ),
        (
            "move the kick-off to Monday at 10am",
            r#"update_event {"event":"the kick-off","start":"2026-11-23T10:00:00+01:00"}"#,
        ),
        (
            "rename focus time to writing",
            r#"update_event {"event":"focus time","title":"writing"}"#,
        ),
        ("cancel the kick-off", r#"cancel_event {"event":"the kick-off"}"#),
        (
            "remove the dentist from my calendar",
            r#"cancel_event {"event":"the dentist"}"#,
        ),
    ];
    offline::holds(include_str!("../tools.json"), &expected);
}
