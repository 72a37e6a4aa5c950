//! What both kinds of mailboxes promise of what is written in them: letters, answers, drafts.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that is wrong should panic"
)]

mod support;

use serde_json::json;
use support::World;

#[tokio::test]
async fn a_letter_is_sent_once_per_key_and_lies_among_the_sent_ones() {
    for world in World::both().await {
        let before = world.total(json!({"in": "sent"})).await;
        let letter = json!({
            "to": ["Tom Okafor <tom.okafor@lumen.example>", "TOM.OKAFOR@lumen.example"], "cc": ["elena.rossi@lumen.example"],
            "bcc": ["marcus.webb@northwind.example"],
            "subject": "Größere Zeitleiste", "body": "Hello,\n\nhere it comes.",
        });
        let sent = world.call("k1", "send_email", letter.clone()).await;
        assert_eq!(
            sent.text,
            "Sent “Größere Zeitleiste” to Tom Okafor <tom.okafor@lumen.example>, elena.rossi@lumen.example, \
             marcus.webb@northwind.example. This cannot be undone.",
            "{}",
            world.name
        );
        assert!(sent.inverses.is_empty());
        assert_eq!(world.call("k1", "send_email", letter.clone()).await, sent);
        assert_eq!(world.total(json!({"in": "sent"})).await, before + 1);
        let id = world.id(json!({"in": "sent", "subject": "größere"})).await;
        let read = world.does("read_email", json!({"id": id})).await;
        assert_eq!(read.structured["body"], "Hello,\n\nhere it comes.");
        assert_eq!(read.structured["from"]["email"], support::ALEX);
        // Another key is another letter.
        world.call("k2", "send_email", letter).await;
        assert_eq!(world.total(json!({"in": "sent"})).await, before + 2);
    }
}

#[tokio::test]
async fn an_answer_goes_to_the_sender_in_the_same_conversation() {
    for world in World::both().await {
        let lunch = world.search(json!({"subject": "lunch"})).await;
        let email = &lunch.structured["emails"][0];
        let sent = world
            .does(
                "reply_to_email",
                json!({"id": email["id"], "body": "With pleasure."}),
            )
            .await;
        assert!(
            sent.text
                .starts_with("Sent “Re: Lunch on Friday?” to Sarah Chen <sarah.chen@northwind.example>."),
            "{}: {}",
            world.name,
            sent.text
        );
        assert_eq!(sent.structured["thread"], email["thread"]);
        let all = world.id(json!({"subject": "post-mortem"})).await;
        let sent = world
            .does(
                "reply_to_email",
                json!({"id": all, "body": "Thanks!", "all": true}),
            )
            .await;
        let cc: Vec<&str> = sent.structured["cc"]
            .as_array()
            .unwrap()
            .iter()
            .map(|address| address["email"].as_str().unwrap())
            .collect();
        assert_eq!(
            cc,
            ["sarah.chen@northwind.example", "priya.nair@northwind.example"],
            "neither oneself nor twice"
        );
        let refused = world
            .refuses("reply_to_email", json!({"id": all, "body": " "}))
            .await;
        assert_eq!(refused, "body: an answer has to say something.");
    }
}

#[tokio::test]
async fn what_is_forwarded_has_its_text_and_its_attachments() {
    for world in World::both().await {
        let id = world.id(json!({"from": "Marcus", "subject": "export"})).await;
        let arguments = json!({"id": id, "to": ["tom.okafor@lumen.example"], "note": "As promised."});
        let sent = world.does("forward_email", arguments).await;
        assert!(
            sent.text
                .starts_with("Forwarded “Fwd: Data export for Lumen is ready” to tom.okafor"),
            "{}",
            sent.text
        );
        let id = world.id(json!({"in": "sent", "subject": "fwd export"})).await;
        let read = world.does("read_email", json!({"id": id})).await;
        let body = read.structured["body"].as_str().unwrap();
        assert!(
            body.starts_with("As promised.\n\n---------- Forwarded message ----------\nFrom: Marcus Webb"),
            "{body}"
        );
        assert!(body.contains("the export runs now in 40 minutes"), "{body}");
        assert_eq!(
            read.structured["attachments"][0]["name"], "lumen-sample.xlsx",
            "{}",
            world.name
        );
    }
}

#[tokio::test]
async fn a_draft_is_kept_sent_to_nobody_and_can_be_deleted() {
    for world in World::both().await {
        let before = world.total(json!({"in": "drafts"})).await;
        let draft = json!({"to": ["ann@example.com"], "subject": "lunch", "body": "Friday?"});
        let kept = world.call("k1", "draft_email", draft.clone()).await;
        assert_eq!(
            kept.text,
            "Kept a draft of “lunch” to ann@example.com. It was not sent."
        );
        assert_eq!(world.call("k1", "draft_email", draft).await, kept);
        assert_eq!(
            world.total(json!({"in": "drafts"})).await,
            before + 1,
            "{}",
            world.name
        );
        assert_eq!(world.total(json!({"in": "sent", "subject": "lunch"})).await, 0);
        let gone = world.undo(&kept).await;
        assert_eq!(gone[0].text, "The draft is deleted.");
        assert_eq!(world.total(json!({"in": "drafts"})).await, before);
        let again = world.undo(&kept).await;
        assert_eq!(again[0].text, "There is no such draft (any more).");
    }
}

#[tokio::test]
async fn nothing_can_end_a_header_and_begin_another() {
    for world in World::both().await {
        let sent = world.total(json!({"in": "sent"})).await;
        let to = "ann@example.com";
        for (letter, refused) in [
            (
                json!({"to": [to], "subject": "a\r\nBcc: evil@example.com", "body": "b"}),
                "subject must not hold line breaks",
            ),
            (
                json!({"to": ["ann@example.com\nBcc: evil@example.com"], "subject": "a", "body": "b"}),
                "to must not hold line breaks",
            ),
            (
                json!({"to": ["A\rB <ann@example.com>"], "subject": "a", "body": "b"}),
                "to must not hold line breaks",
            ),
            (
                json!({"to": [to], "cc": ["evil@example.com>, <b@example.com"], "subject": "a", "body": "b"}),
                "is no email address",
            ),
            (
                json!({"to": ["Sarah"], "subject": "a", "body": "b"}),
                "to: “Sarah” is no email address",
            ),
            (
                json!({"to": ["a@localhost"], "subject": "a", "body": "b"}),
                "is no email address",
            ),
            (
                json!({"to": ["ä@example.com"], "subject": "a", "body": "b"}),
                "is no email address",
            ),
            (
                json!({"to": [], "subject": "a", "body": "b"}),
                "somebody has to get the email",
            ),
            (
                json!({"to": [to], "subject": "a".repeat(301), "body": "b"}),
                "at most 300 characters",
            ),
            (
                json!({"to": [to], "subject": "a", "body": "b".repeat(100_001)}),
                "at most 100000 bytes",
            ),
            (
                json!({"to": [to], "subject": "a", "body": "b\u{0}"}),
                "control characters",
            ),
            (
                json!({"to": (0..101).map(|n| format!("a{n}@example.com")).collect::<Vec<_>>(), "subject": "a", "body": "b"}),
                "may go to 100 people",
            ),
        ] {
            for tool in ["send_email", "draft_email"] {
                let said = world.refuses(tool, letter.clone()).await;
                assert!(said.contains(refused), "{}: {tool}: {said}", world.name);
            }
        }
        assert_eq!(world.total(json!({"in": "sent"})).await, sent);
    }
}
