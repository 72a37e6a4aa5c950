//! Nothing secret lies in the store, or is said to anybody for whom it is not.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_google_fake::oauth::Consent;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use support::{CLIENT_SECRET, Down, JWT_SECRET, World, ada, bob, key};

/// Everything that happens to accounts, with everything that goes wrong.
fn live(world: &World) {
    let google_token = world.google.borrow_mut().id_token(&ada().email, support::WEB);
    world.sign_in(&google_token, &ada().email);
    world.sign_in(&google_token, "other@northwind.example");
    world.sign_in(&format!("{google_token}x"), &ada().email);
    let user = world.connect_ada();
    let used = world.consent(&world.begin(&user, Value::Null));
    world.callback(&used);
    world.callback(&used);
    world.token(&user);
    world.wait(3_600_000);
    world.down.set(Some(Down::Status(500, None)));
    world.token(&user);
    world.callback(&world.consent(&world.begin(&user, Value::Null)));
    world.down.set(None);
    world.wait(60_000);
    world.token(&user);
    world.set("google_client_secret", "GOCSPX-not-the-one");
    world.callback(&world.consent(&world.begin(&user, Value::Null)));
    world.set("google_client_secret", CLIENT_SECRET);
    world.set("token_keys", &key("2027", 3));
    world.token(&user);
    world.set("token_keys", &key("2026", 1));
    world.google.borrow_mut().visitor(&bob().email, Consent::All);
    let page = world.callback(&world.consent(&world.begin("local", json!({"return_to": support::APP}))));
    world.callback(&page.link("Connect"));
    world.callback(&world.consent(&world.begin(&user, Value::Null)));
    world
        .google
        .borrow_mut()
        .take_back(&mut world.apis.borrow_mut(), &ada().email);
    world.wait(3_600_000);
    world.token(&user);
    world.ask("DELETE", "/auth/google/account", "local", Value::Null);
}

fn secrets(world: &World) -> Vec<String> {
    let mut secrets = world.google.borrow().secrets().to_vec();
    for byte in [1, 3] {
        secrets.extend([STANDARD.encode([byte; 32]), URL_SAFE_NO_PAD.encode([byte; 32])]);
    }
    secrets.extend([JWT_SECRET, CLIENT_SECRET, "GOCSPX-not-the-one"].map(str::to_owned));
    secrets
}

#[test]
fn nothing_secret_is_stored() {
    let world = World::new();
    live(&world);
    let written = String::from_utf8_lossy(&world.store.written.borrow()).into_owned();
    let secrets = secrets(&world);
    assert!(
        secrets.len() > 20 && written.len() > 5_000,
        "{} {}",
        secrets.len(),
        written.len()
    );
    for secret in &secrets {
        assert!(!written.contains(secret.as_str()), "{secret} is stored");
        let encoded = STANDARD.encode(secret);
        assert!(
            !written.contains(encoded.trim_end_matches('=')),
            "{secret} is stored in base64"
        );
    }
    assert!(
        written.contains("refresh") && written.contains("2026."),
        "sealed ones are"
    );
}

#[test]
fn nothing_secret_is_said() {
    let world = World::new();
    live(&world);
    let said = world.said.borrow();
    let mut given = 0;
    for answer in said.iter() {
        for secret in secrets(&world) {
            if answer.contains(&secret) {
                // The one place where it is meant to be: a tool's access token.
                assert!(
                    answer.starts_with("/token ") && secret.starts_with("ya29."),
                    "{secret}: {answer}"
                );
                given += 1;
            }
        }
    }
    assert_eq!(given, 2, "that the test sees what is said");
}

#[test]
fn a_state_is_stored_as_a_hash_only() {
    let world = World::new();
    let url = world.begin("ada", Value::Null);
    let (_, query) = url.split_once('?').unwrap();
    let (_, state) = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "state")
        .unwrap();
    let written = String::from_utf8_lossy(&world.store.written.borrow()).into_owned();
    assert!(
        written.contains("connect/") && !written.contains(&*state),
        "{written}"
    );
}
