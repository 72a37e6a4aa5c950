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
            "find Sarah in my contacts",
            r#"search_contacts {"query":"Sarah"}"#,
        ),
        (
            "what is Marcus's email address?",
            r#"search_contacts {"query":"Marcus's"}"#,
        ),
        (
            "what is the email address of Elena Rossi?",
            r#"search_contacts {"query":"Elena Rossi"}"#,
        ),
        (
            "who works at Northwind?",
            r#"search_contacts {"query":"Northwind"}"#,
        ),
        (
            "who is Sarah Miller?",
            r#"search_contacts {"query":"Sarah Miller"}"#,
        ),
        (
            "look up the plumber",
            r#"search_contacts {"query":"the plumber"}"#,
        ),
        (
            "what is the phone number of Tom Okafor?",
            r#"read_contact {"contact":"Tom Okafor"}"#,
        ),
        (
            "show me the contact of Priya",
            r#"read_contact {"contact":"Priya"}"#,
        ),
    ];
    offline::holds(include_str!("../tools.json"), &expected);
}
