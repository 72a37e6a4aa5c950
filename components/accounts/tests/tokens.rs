//! Access tokens for tools: kept, refreshed once, sealed anew, and never given out when they are not good.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_state::memory::Fault;
use futures::executor::block_on;
use futures::future::{join, join_all};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Answer, Down, World, ada, key};

const HOUR: u64 = 3_600_000;

fn access(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn hash(token: &str) -> String {
    Sha256::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn a_token_is_kept_until_shortly_before_it_ends() {
    let world = World::new();
    let user = world.connect_ada();
    let first = world.token(&user);
    assert_eq!(first.json()["expires_at"], json!("2023-11-14T23:13:19Z"));
    assert_eq!(first.json()["email"], json!(ada().email));
    assert_eq!(first.header("cache-control"), "no-store");
    world.wait(HOUR - 62_000);
    assert_eq!(access(&world.token(&user)), access(&first));
    assert_eq!(world.asked("/token"), 1, "for the code only");
    world.wait(2_000);
    let second = world.token(&user);
    assert_ne!(access(&second), access(&first));
    assert_eq!(world.asked("/token"), 2);
    assert_eq!(second.json()["scopes"], first.json()["scopes"]);
}

#[test]
fn many_who_ask_at_the_same_time_refresh_once() {
    let world = World::new();
    let user = world.connect_ada();
    world.wait(HOUR);
    let answers = block_on(join_all((0..30).map(|_| {
        let (world, user) = (world.clone(), user.clone());
        async move { access(&world.send("POST", "/token", &user, "").await) }
    })));
    assert!(answers.iter().all(|token| *token == answers[0]), "{answers:?}");
    assert_eq!(world.asked("/token"), 2, "one code, one refresh");
}

#[test]
fn a_token_that_google_refused_is_replaced_once() {
    let world = World::new();
    let user = world.connect_ada();
    let first = access(&world.token(&user));
    let stale = json!({"stale": hash(&first)});
    let second = access(&world.ask("POST", "/token", &user, stale.clone()));
    assert_ne!(second, first);
    assert_eq!(
        access(&world.ask("POST", "/token", &user, stale)),
        second,
        "it was replaced already"
    );
    assert_eq!(access(&world.token(&user)), second);
    assert_eq!(world.asked("/token"), 2);
}

#[test]
fn a_permission_that_was_taken_back_is_not_tried_again() {
    let world = World::new();
    let user = world.connect_ada();
    world
        .google
        .borrow_mut()
        .take_back(&mut world.apis.borrow_mut(), &ada().email);
    world.wait(HOUR);
    for _ in 0..3 {
        let answer = world.token(&user);
        assert_eq!(answer.refusal(), (409, "reconnect".into()));
        assert!(
            answer.text.contains("connect the Google account again"),
            "{answer:?}"
        );
    }
    assert_eq!(world.asked("/token"), 2);
    assert_eq!(world.account(&user)["reconnect"], json!(true));
    world.connect_ada();
    assert_eq!(world.account(&user)["reconnect"], json!(false));
    assert_eq!(world.token(&user).status, 200);
}

#[test]
fn google_in_trouble_is_asked_again_after_a_while_only() {
    let world = World::new();
    let user = world.connect_ada();
    world.wait(HOUR);
    for (down, seconds) in [
        (Down::Unreachable, 2),
        (Down::Status(503, Some(7)), 7),
        (Down::Status(429, None), 2),
        (Down::Status(200, None), 2),
    ] {
        world.down.set(Some(down));
        let before = world.asked("/token");
        for _ in 0..4 {
            let answer = world.token(&user);
            assert_eq!(answer.refusal(), (503, "unavailable".into()), "{down:?}");
            assert_eq!(answer.header("retry-after"), seconds.to_string(), "{down:?}");
        }
        assert_eq!(world.asked("/token"), before + 1, "{down:?}");
        world.wait(seconds * 1000);
    }
    world.down.set(None);
    assert_eq!(world.token(&user).status, 200);
    assert_eq!(world.account(&user)["reconnect"], json!(false));
}

#[test]
fn a_client_that_google_does_not_know_is_the_operators_matter() {
    let world = World::new();
    let user = world.connect_ada();
    world.wait(HOUR);
    world.set("google_client_secret", "another");
    let answer = world.token(&user);
    assert_eq!(answer.refusal(), (500, "misconfigured".into()));
    assert!(answer.text.contains("google_client_secret") && !answer.text.contains("another"));
    assert_eq!(world.account(&user)["reconnect"], json!(false), "nothing is lost");
}

#[test]
fn an_account_that_is_deleted_meanwhile_does_not_come_back() {
    let world = World::new();
    let user = world.connect_ada();
    world.wait(HOUR);
    let refreshing = world.send("POST", "/token", &user, "");
    let deleting = async {
        // Google is being asked by now.
        while world.asked("/token") < 2 {
            futures::pending!();
        }
        // What cannot be opened is not taken back at Google, so that Google goes on with the refresh.
        world.set("token_keys", "");
        let answer = world.send("DELETE", "/auth/google/account", &user, "").await;
        world.set("token_keys", &key("2026", 1));
        answer
    };
    let (refreshed, deleted) = block_on(join(refreshing, waking(deleting)));
    assert_eq!(deleted.status, 200);
    assert_eq!(refreshed.refusal(), (404, "no_account".into()));
    assert_eq!(world.account(&user), json!({"connected": false}));
}

/// Polls again at once whatever is pending.
async fn waking<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        future.as_mut().poll(context)
    })
    .await
}

#[test]
fn an_instance_that_dies_while_it_refreshes_is_replaced() {
    let world = World::new();
    let user = world.connect_ada();
    world.wait(HOUR);
    {
        let mut dying = Box::pin(world.send("POST", "/token", &user, ""));
        let waker = futures::task::noop_waker();
        let mut context = std::task::Context::from_waker(&waker);
        while world.asked("/token") < 2 {
            assert!(dying.as_mut().poll(&mut context).is_pending());
        }
    }
    assert_eq!(world.token(&user).refusal(), (503, "unavailable".into()));
    world.wait(15_001);
    assert_eq!(world.token(&user).status, 200);
}

#[test]
fn a_new_key_seals_anew_and_the_old_one_can_go() {
    let world = World::new();
    world.set("token_keys", &key("2025", 1));
    let user = world.connect_ada();
    let first = access(&world.token(&user));
    world.set("token_keys", &format!("{},{}", key("2026", 2), key("2025", 1)));
    assert_eq!(access(&world.token(&user)), first);
    world.set("token_keys", &key("2026", 2));
    assert_eq!(access(&world.token(&user)), first, "the access token");
    world.wait(HOUR);
    assert_ne!(access(&world.token(&user)), first, "and the refresh token");
}

#[test]
fn a_key_that_is_gone_costs_nothing_and_is_named() {
    let world = World::new();
    world.set("token_keys", &key("2025", 1));
    let user = world.connect_ada();
    let first = access(&world.token(&user));
    for keys in [key("2026", 2), key("2025", 2)] {
        world.set("token_keys", &keys);
        let answer = world.token(&user);
        assert_eq!(answer.refusal(), (500, "misconfigured".into()));
        assert!(answer.text.contains("`token_keys`"), "{answer:?}");
    }
    world.set("token_keys", "");
    assert_eq!(world.token(&user).refusal(), (501, "not_configured".into()));
    world.set("token_keys", &format!("{},{}", key("2026", 2), key("2025", 1)));
    assert_eq!(access(&world.token(&user)), first, "all is there again");
}

#[test]
fn whoever_has_no_account_is_told_so_whatever_is_configured() {
    let world = World::new();
    assert_eq!(world.token("ada").refusal(), (404, "no_account".into()));
    world.variables.borrow_mut().clear();
    assert_eq!(world.token("ada").refusal(), (404, "no_account".into()));
}

#[test]
fn a_body_that_holds_a_token_is_refused_without_repeating_it() {
    let world = World::new();
    for body in [json!({"stale": "ya29.token"}), json!({"stale": 1}), json!([])] {
        let answer = world.ask("POST", "/token", "ada", body);
        assert_eq!(answer.refusal(), (400, "invalid_request".into()));
        assert!(!answer.text.contains("ya29"), "{answer:?}");
    }
    assert_eq!(world.ask("GET", "/token", "ada", Value::Null).status, 405);
}

#[test]
fn a_store_in_trouble_is_told_as_such() {
    let world = World::new();
    let user = world.connect_ada();
    world.store.memory.fail(1, Fault::Before);
    assert_eq!(world.token(&user).refusal(), (503, "unavailable".into()));
    assert_eq!(world.token(&user).status, 200);
}
