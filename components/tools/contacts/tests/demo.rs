//! What a user finds in the demo address book.

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
fn two_with_the_same_name_are_both_told_the_likelier_first() {
    let server = Server::new();
    let said = server.ann("search_contacts", json!({"query": "Sarah"}));
    assert_eq!(
        said.text,
        "2 contacts fit “Sarah”, the most likely first:\n\
         - Sarah Chen, Product lead at Northwind, sarah.chen@northwind.example, last contact today, Friday, 20 November\n\
         - Sarah Miller, Recruiter at Brightpath, sarah.miller@brightpath.example, last contact Tuesday, 17 November"
    );
    assert_eq!(
        said.structured["contacts"][0]["addresses"],
        json!(["sarah.chen@northwind.example"])
    );
    let refused = server.refuses("read_contact", json!({"contact": "sarah"}));
    assert!(refused.starts_with(
        "Several contacts fit “sarah”, the most likely first; say which one, by its id:\n- Sarah Chen"
    ));
}

#[test]
fn people_are_found_by_beginnings_addresses_companies_and_without_accents() {
    let server = Server::new();
    let names = |query: &str| server.ann("search_contacts", json!({"query": query})).names();
    for (query, name) in [
        ("pri", "Priya Nair"),
        ("nair p", "Priya Nair"),
        ("jose", "José García"),
        ("garcia", "José García"),
        ("zoe muller", "Zoë Müller"),
        ("lukasz", "Łukasz Nowak"),
        ("tom.okafor@lumen.example", "Tom Okafor"),
        ("“Marcus Webb”?", "Marcus Webb"),
        ("Marcus's", "Marcus Webb"),
        ("the dentist", "Dr. Nadia Ahmed"),
    ] {
        assert_eq!(names(query), [name], "{query}");
    }
    assert_eq!(names("lumen"), ["Tom Okafor", "Elena Rossi", "Łukasz Nowak"]);
    assert_eq!(names("arah"), [""; 0], "not the middle of a word");
    assert_eq!(
        server.ann("search_contacts", json!({"query": "nobody"})).text,
        "No contact fits “nobody”."
    );
    let first = server.ann("search_contacts", json!({"query": "northwind", "limit": 2}));
    assert_eq!(
        (first.names().len(), &first.structured["more"]),
        (2, &json!(true))
    );
}

#[test]
fn a_contact_is_read_by_id_name_or_address() {
    let server = Server::new();
    let dad = server.ann("read_contact", json!({"contact": "David Kim"}));
    assert_eq!(
        dad.text,
        "David Kim\nE-mail: david.kim@family.example\nPhone: +1 555 0401\n\
         Last contact: yesterday, Thursday, 19 November\nNotes: Dad. Prefers a call to a message."
    );
    let id = dad.structured["contact"]["id"].clone();
    assert_eq!(server.ann("read_contact", json!({"contact": id})), dad);
    assert_eq!(
        server.ann("read_contact", json!({"contact": "david.kim@family.example"})),
        dad
    );
    let ben = server.ann("read_contact", json!({"contact": "Ben Carter"}));
    assert!(
        ben.text
            .ends_with("Not in the address book: the user has only been in contact with them.")
    );
}

#[test]
fn wrong_arguments_are_refused_with_what_would_be_right() {
    let server = Server::new();
    for (arguments, message) in [
        (
            json!({"query": " ?"}),
            "query: name somebody, by name, address or company.",
        ),
        (
            json!({"query": "x".repeat(101)}),
            "query: must have at most 100 characters.",
        ),
        (json!({"query": "x", "limit": 0}), "limit: must be from 1 to 50."),
    ] {
        assert_eq!(server.refuses("search_contacts", arguments), message);
    }
    assert_eq!(
        server.refuses("read_contact", json!({"contact": "demo-nobody"})),
        "No contact fits “demo-nobody”."
    );
}

#[test]
fn an_address_book_is_seeded_once_and_read_in_one_round_trip() {
    let server = Server::new();
    server.ann("search_contacts", json!({"query": "tom"}));
    let before = server.store.round_trips();
    server.ann("search_contacts", json!({"query": "tom"}));
    assert_eq!(server.store.round_trips() - before, 1);
    let bob = server.call("bob", "search_contacts", json!({"query": "tom"}));
    assert_eq!(bob.names(), ["Tom Okafor"]);
}
