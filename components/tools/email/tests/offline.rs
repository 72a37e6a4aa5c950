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
        (
            "find emails from Sarah this week",
            r#"search_emails {"from":"Sarah","when":"this week"}"#,
        ),
        (
            "what newsletters came today?",
            r#"search_emails {"category":"newsletters","when":"today"}"#,
        ),
        (
            "find emails about the roadmap",
            r#"search_emails {"text":"the roadmap"}"#,
        ),
        ("show unread emails", r#"search_emails {"unread":true}"#),
        ("read email demo-sarah-4", r#"read_email {"id":"demo-sarah-4"}"#),
        (
            "archive demo-sarah-4",
            r#"archive_emails {"ids":["demo-sarah-4"]}"#,
        ),
        (
            "unarchive demo-sarah-4",
            r#"unarchive_emails {"ids":["demo-sarah-4"]}"#,
        ),
        (
            "mark demo-ci-1 as read",
            r#"mark_emails_read {"ids":["demo-ci-1"]}"#,
        ),
        (
            "mark demo-ci-1 as unread",
            r#"mark_emails_unread {"ids":["demo-ci-1"]}"#,
        ),
        ("delete demo-shop-1", r#"trash_emails {"ids":["demo-shop-1"]}"#),
        ("restore demo-shop-1", r#"untrash_emails {"ids":["demo-shop-1"]}"#),
        (
            "label demo-tom-1 as Lumen",
            r#"label_emails {"ids":["demo-tom-1"],"label":"Lumen"}"#,
        ),
        (
            "reply to demo-sarah-5: \"See you there.\"",
            r#"reply_to_email {"body":"See you there.","id":"demo-sarah-5"}"#,
        ),
        (
            "forward demo-marcus-1 to tom.okafor@lumen.example",
            r#"forward_email {"id":"demo-marcus-1","to":["tom.okafor@lumen.example"]}"#,
        ),
        (
            "send an email to bob@example.com about \"lunch\": \"Friday at noon?\"",
            r#"send_email {"body":"Friday at noon?","subject":"lunch","to":["bob@example.com"]}"#,
        ),
        (
            "draft an email to bob@example.com about \"lunch\": \"Friday at noon?\"",
            r#"draft_email {"body":"Friday at noon?","subject":"lunch","to":["bob@example.com"]}"#,
        ),
    ];
    offline::holds(include_str!("../tools.json"), &expected);
}
