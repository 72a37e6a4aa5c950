//! How the tools fare with Google as it is: quotas, expired tokens, lost answers, instances that die.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that is wrong should panic"
)]

mod support;

use anyturn_google_fake::Failure;
use anyturn_state::memory::Fault;
use serde_json::{Value, json};
use support::{ALEX, World};

fn letter() -> Value {
    json!({"to": ["tom.okafor@lumen.example"], "subject": "the timeline", "body": "Here it comes."})
}

/// How many emails Google has sent, and how many drafts there are.
fn sent_and_drafts(world: &World) -> (usize, usize) {
    world.google().gmail(ALEX, |mailbox| {
        (mailbox.with_label("SENT").len(), mailbox.drafts())
    })
}

async fn with_mails(count: i64) -> World {
    let world = World::empty_gmail().await;
    world.google().gmail(ALEX, |mailbox| {
        for number in 0..count {
            let raw =
                format!("From: a@example.com\r\nTo: {ALEX}\r\nSubject: number {number}\r\n\r\ntext\r\n");
            mailbox.deliver(raw.as_bytes(), 1_795_000_000_000 + number * 1000, &["INBOX"]);
        }
    });
    world
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page_up_to_a_limit() {
    let world = with_mails(620).await;
    let found = world.search(json!({"from": "a@example.com"})).await;
    assert!(
        found
            .text
            .starts_with("More than 500 emails from a@example.com; the latest 10:"),
        "{}",
        found.text
    );
    assert_eq!(found.structured["total_is_exact"], false);
    assert_eq!(found.structured["ids"].as_array().unwrap().len(), 500);
    assert_eq!(found.structured["emails"][0]["subject"], "number 619");
}

#[tokio::test]
async fn many_are_changed_with_one_request_after_batches_that_look() {
    let world = with_mails(230).await;
    let ids = world.ids(json!({"in": "inbox"})).await;
    let batches = world.google().count("/batch/");
    let archived = world.call("k", "archive_emails", json!({"ids": ids})).await;
    assert_eq!(archived.structured["count"], 230);
    // In batches of 50: 230 make five.
    assert_eq!(world.google().count("/batch/") - batches, 5);
    assert_eq!(world.google().count("batchModify"), 1);
    assert_eq!(world.total(json!({"in": "inbox"})).await, 0);
}

#[tokio::test]
async fn a_part_of_a_batch_that_google_refuses_for_now_is_asked_for_again() {
    let world = with_mails(3).await;
    let ids = world.ids(json!({"in": "inbox"})).await;
    let path = format!("/messages/{}", ids[1]);
    world.google().fail(&path, Failure::UserRateLimited, 2);
    let archived = world.call("k", "archive_emails", json!({"ids": ids})).await;
    assert_eq!(archived.structured["count"], 3, "{}", archived.text);
    // Twice in vain, then found.
    assert_eq!(
        world.google().count(&path),
        3 + 1,
        "and once when the search showed it"
    );
}

#[tokio::test]
async fn what_google_keeps_refusing_is_told_and_the_rest_is_done() {
    let world = with_mails(3).await;
    let ids = world.ids(json!({"in": "inbox"})).await;
    world.google().fail(
        &format!("/messages/{}/trash", ids[1]),
        Failure::RateLimited { retry_after: Some(1) },
        99,
    );
    let trashed = world.call("k", "trash_emails", json!({"ids": ids})).await;
    assert!(
        trashed
            .text
            .contains("1 email could not be changed: Google takes no more requests"),
        "{}",
        trashed.text
    );
    assert_eq!(trashed.structured["ids"], json!([ids[0], ids[2]]));
    assert_eq!(trashed.structured["failed"], json!([ids[1]]));
    assert_eq!(trashed.inverses.len(), 1);
    assert_eq!(trashed.inverses[0]["arguments"]["ids"], json!([ids[0], ids[2]]));
}

#[tokio::test]
async fn a_token_that_expires_in_between_is_renewed_unseen() {
    let world = World::gmail().await;
    world.search(json!({"from": "Tom"})).await;
    world.google().expire(ALEX);
    let found = world.search(json!({"from": "Tom"})).await;
    assert_eq!(found.structured["total"], 3);
}

#[tokio::test]
async fn whoever_has_to_connect_again_is_told_and_never_sees_demo_mail() {
    let world = World::gmail().await;
    let id = world.id(json!({"from": "Tom"})).await;
    world.google().revoke(ALEX);
    for (tool, arguments) in [
        ("search_emails", json!({})),
        ("read_email", json!({"id": id})),
        ("archive_emails", json!({"ids": [id]})),
        ("send_email", letter()),
    ] {
        let said = world.refuses(tool, arguments).await;
        assert!(
            said.contains("connect the Google account again"),
            "{tool}: {said}"
        );
    }
    // Whoever has connected none sees the demo.
    let body = world
        .call_with("bob", json!({}), "search_emails", json!({"from": "Tom"}))
        .await;
    assert_eq!(
        support::said(&body).unwrap().structured["emails"][0]["id"],
        "demo-tom-1"
    );
}

#[tokio::test]
async fn while_nobody_knows_whose_mailbox_it_is_there_is_none() {
    let world = World::gmail().await;
    for path in ["/anyturn-accounts/token", "/gmail/v1"] {
        world.google().fail(path, Failure::Unavailable, 6);
        let body = world
            .call_with("ada", json!({}), "search_emails", json!({}))
            .await;
        assert!(body.get("error").is_some(), "{path}: {body}");
        assert_eq!(
            world.total(json!({"from": "Tom"})).await,
            3,
            "{path}: and then it works"
        );
    }
}

#[tokio::test]
async fn a_letter_whose_sending_was_answered_by_nobody_is_sent_once() {
    let world = World::empty_gmail().await;
    // It is sent, and the connection breaks before the answer, again and again.
    world.google().fail("drafts/send", Failure::Lost, 1);
    let sent = world.call("k1", "send_email", letter()).await;
    assert!(sent.text.starts_with("Sent “the timeline”"), "{}", sent.text);
    assert_eq!(sent_and_drafts(&world), (1, 0));
    let id = world
        .google()
        .gmail(ALEX, |mailbox| mailbox.with_label("SENT")[0].id.clone());
    assert_eq!(sent.structured["id"], json!(id));
    assert_eq!(world.call("k1", "send_email", letter()).await, sent);
    assert_eq!(sent_and_drafts(&world), (1, 0));
}

#[tokio::test]
async fn an_instance_may_die_between_any_two_steps_of_sending_and_the_letter_is_sent_once() {
    // How often the store is asked in one call that sends.
    let whole = World::empty_gmail().await;
    let before = whole.store.round_trips();
    whole.call("k1", "send_email", letter()).await;
    let steps = whole.store.round_trips() - before;
    assert!(steps >= 4, "{steps}");
    for step in 1..=steps {
        for fault in [Fault::Before, Fault::After] {
            let world = World::empty_gmail().await;
            world.store.fail(step, fault);
            let meta = json!({"anyturn.dev/idempotency-key": "k1"});
            let lost = world.call_with("ada", meta, "send_email", letter()).await;
            assert!(lost.get("error").is_some(), "{step}: {lost}");
            world.store.heal();
            let sent = world.call("k1", "send_email", letter()).await;
            assert!(!sent.is_error, "{step}: {}", sent.text);
            assert_eq!(sent_and_drafts(&world), (1, 0), "step {step}, {fault:?}");
        }
    }
}

#[tokio::test]
async fn google_may_fail_at_any_step_of_sending_and_the_letter_is_sent_once() {
    for path in ["/profile", "/upload/gmail/v1/users/me/drafts", "drafts/send"] {
        for failure in [Failure::Lost, Failure::Internal, Failure::Unavailable] {
            let world = World::empty_gmail().await;
            world.google().fail(path, failure, 1);
            let meta = json!({"anyturn.dev/idempotency-key": "k1"});
            let first = world.call_with("ada", meta, "send_email", letter()).await;
            // Keeping a draft cannot just be tried again: the call is, by whoever made it.
            let is_lost = path.starts_with("/upload");
            assert_eq!(first.get("error").is_some(), is_lost, "{path}: {first}");
            let sent = world.call("k1", "send_email", letter()).await;
            assert!(!sent.is_error, "{path}: {}", sent.text);
            assert_eq!(sent_and_drafts(&world), (1, 0), "{path}, {failure:?}");
        }
    }
}

#[tokio::test]
async fn a_draft_that_somebody_deleted_is_not_sent_behind_their_back() {
    let world = World::empty_gmail().await;
    // The draft is kept and recorded; then Google is too busy for long, and the call ends.
    world.google().fail(
        "drafts/send",
        Failure::RateLimited {
            retry_after: Some(60),
        },
        1,
    );
    let busy = world.call("k1", "send_email", letter()).await;
    assert!(
        busy.is_error && busy.text.contains("no more requests"),
        "{}",
        busy.text
    );
    let draft = world.id(json!({"in": "drafts"})).await;
    world.google().gmail(ALEX, |mailbox| mailbox.vanish(&draft));
    let said = world.call("k1", "send_email", letter()).await;
    assert!(
        said.is_error && said.text.contains("somebody has deleted it"),
        "{}",
        said.text
    );
    assert_eq!(sent_and_drafts(&world).0, 0);
}

#[tokio::test]
async fn an_archive_that_was_interrupted_still_knows_what_it_changed() {
    let world = World::gmail().await;
    let ids = world.ids(json!({"from": "Tom", "in": "inbox"})).await;
    let whole = World::gmail().await;
    let same = whole.ids(json!({"from": "Tom", "in": "inbox"})).await;
    let before = whole.store.round_trips();
    let undisturbed = whole.call("k1", "archive_emails", json!({"ids": same})).await;
    let steps = whole.store.round_trips() - before;
    // The last step records the outcome: everything is archived by then.
    world.store.fail(steps, Fault::Before);
    let meta = json!({"anyturn.dev/idempotency-key": "k1"});
    let lost = world
        .call_with("ada", meta, "archive_emails", json!({"ids": ids}))
        .await;
    assert!(lost.get("error").is_some(), "{lost}");
    world.store.heal();
    assert_eq!(world.total(json!({"from": "Tom", "in": "inbox"})).await, 0);
    let archived = world.call("k1", "archive_emails", json!({"ids": ids})).await;
    assert_eq!(archived.text, undisturbed.text);
    assert_eq!(archived.inverses[0]["arguments"]["ids"], json!(ids));
}

#[tokio::test]
async fn whether_a_call_took_effect_can_be_asked() {
    let world = World::empty_gmail().await;
    let check = json!({"anyturn.dev/idempotency-key": "k1", "anyturn.dev/check": true});
    let none = world
        .call_with("ada", check.clone(), "send_email", letter())
        .await;
    assert_eq!(
        none["result"]["_meta"]["anyturn.dev/check"], "not-found",
        "{none}"
    );
    world.call("k1", "send_email", letter()).await;
    let there = world.call_with("ada", check, "send_email", letter()).await;
    assert_eq!(
        there["result"]["_meta"]["anyturn.dev/check"], "recorded",
        "{there}"
    );
    assert_eq!(sent_and_drafts(&world), (1, 0));
}

#[tokio::test]
async fn an_account_that_does_not_allow_it_is_told_so() {
    let world = World::gmail().await;
    world
        .google()
        .fail("/gmail/v1/users/me/messages", Failure::Forbidden, 1);
    let said = world.refuses("search_emails", json!({})).await;
    assert!(said.contains("allow access to the mail"), "{said}");
}

#[tokio::test]
async fn of_a_very_long_page_it_is_told_that_it_says_more() {
    let world = World::gmail().await;
    let id = world.google().gmail(ALEX, |mailbox| {
        let hidden = "<img src='https://tracker.example/x.gif'>".repeat(2000);
        let raw = format!(
            "From: Tom <tom.okafor@lumen.example>\r\nTo: {ALEX}\r\nSubject: News\r\nContent-Type: text/html\r\n\r\n\
             <p>The beginning.</p>{hidden}<p>The end.</p>\r\n"
        );
        mailbox.deliver(raw.as_bytes(), 1_795_000_000_000, &["INBOX"])
    });
    let read = world.call("", "read_email", json!({"id": id})).await;
    assert!(
        read.text.ends_with("The beginning.\n[The rest is left out.]"),
        "{}",
        read.text
    );
    assert_eq!(read.structured["body_is_complete"], false);
    let forward = json!({"id": id, "to": ["sarah.chen@northwind.example"]});
    let drafted = world.call("k", "forward_email", forward).await;
    assert!(!drafted.is_error, "{}", drafted.text);
    let sent = world.google().gmail(ALEX, |mailbox| {
        let sent = mailbox.with_label("SENT");
        String::from_utf8_lossy(&sent.last().unwrap().raw).into_owned()
    });
    assert!(sent.contains("[The rest is left out.]"), "{sent}");
}
