//! Signing in: what is believed, and what is not.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_accounts::keys::FLOOR;
use anyturn_google_fake::oauth::Person;
use anyturn_identity::{Config, Credentials, Variables};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::executor::block_on;
use futures::future::join_all;
use serde_json::{Value, json};
use support::{Down, IOS, JWT_SECRET, WEB, World, ada};

const CERTS: &str = "/oauth2/v3/certs";

fn token(world: &World, audience: &str) -> String {
    world.google.borrow_mut().id_token(&ada().email, audience)
}

/// A token with these claims changed.
fn with(world: &World, change: impl FnOnce(&mut Value)) -> String {
    let mut google = world.google.borrow_mut();
    let mut claims = google.claims(&ada(), WEB);
    change(&mut claims);
    google.sign(&claims)
}

fn refused(world: &World, token: &str) -> String {
    let answer = world.sign_in(token, &ada().email);
    assert_eq!(answer.refusal(), (401, "invalid_token".into()), "{answer:?}");
    answer.json()["message"].as_str().unwrap().to_owned()
}

#[test]
fn whoever_signs_in_gets_a_token_that_chat_accepts() {
    let world = World::new();
    let answer = world.sign_in(&token(&world, IOS), "ada@northwind.EXAMPLE");
    let json = answer.json();
    assert_eq!((answer.status, &json["expires_in"]), (200, &json!(3600)));
    assert_eq!(json["user_id"], world.user(&ada()));
    assert_eq!(answer.header("cache-control"), "no-store");
    let authorization = format!("Bearer {}", json["jwt_token"].as_str().unwrap());
    let config = Config::parse(&Variables {
        jwt_secret: JWT_SECRET,
        ..Variables::default()
    })
    .unwrap();
    let credentials = Credentials {
        authorization: Some(&authorization),
        ..Credentials::default()
    };
    let now = world.store.memory.clock().now();
    assert_eq!(
        config.identify(&credentials, now).unwrap().user.as_str(),
        world.user(&ada())
    );
    assert!(config.identify(&credentials, now + 3_700_000).is_err(), "it ends");
}

#[test]
fn a_user_stays_the_same_when_their_address_changes() {
    let world = World::new();
    let before = world.sign_in(&token(&world, WEB), &ada().email).json()["user_id"].clone();
    let moved = Person::new(&ada().sub, "ada@elsewhere.example");
    world.google.borrow_mut().add_person(moved.clone());
    let token = world.google.borrow_mut().id_token(&moved.email, WEB);
    assert_eq!(world.sign_in(&token, &moved.email).json()["user_id"], before);
}

#[test]
fn every_claim_counts() {
    let world = World::new();
    let now = world.store.memory.clock().now() / 1000;
    type Change = Box<dyn FnOnce(&mut Value)>;
    let changes: Vec<(Change, &str)> = vec![
        (Box::new(|c| c["iss"] = json!("https://evil.example")), "issuer"),
        (Box::new(|c| c["aud"] = json!("other.example")), "application"),
        (Box::new(|c| c["aud"] = json!([WEB])), "claims are not those"),
        (Box::new(move |c| c["exp"] = json!(now - 61)), "has expired"),
        (Box::new(|c| c["exp"] = Value::Null), "claims are not those"),
        (Box::new(move |c| c["iat"] = json!(now + 120)), "not valid yet"),
        (Box::new(move |c| c["nbf"] = json!(now + 120)), "not valid yet"),
        (Box::new(|c| c["email_verified"] = json!(false)), "no verified"),
        (
            Box::new(|c| c["email_verified"] = json!("yes")),
            "claims are not those",
        ),
        (Box::new(|c| c["email"] = Value::Null), "no verified"),
        (
            Box::new(|c| c["email"] = json!("eve@evil.example")),
            "another e-mail address",
        ),
        (Box::new(|c| c["sub"] = json!("")), "names no account"),
    ];
    for (change, told) in changes {
        let message = refused(&world, &with(&world, change));
        assert!(message.contains(told), "{told}: {message}");
    }
    let good: Vec<Change> = vec![
        Box::new(|c| c["iss"] = json!("accounts.google.com")),
        Box::new(move |c| c["exp"] = json!(now - 59)),
        Box::new(move |c| c["iat"] = json!(now + 59)),
    ];
    for change in good {
        let token = with(&world, change);
        assert_eq!(world.sign_in(&token, &ada().email).status, 200);
    }
}

#[test]
fn only_rs256_by_a_published_key_is_believed() {
    let world = World::new();
    let good = token(&world, WEB);
    assert_eq!(world.sign_in(&good, &ada().email).status, 200);
    let (kid, claims) = {
        let mut google = world.google.borrow_mut();
        (google.key_id(), google.claims(&ada(), WEB))
    };
    for (header, told) in [
        (json!({"alg": "none", "kid": kid}), "another algorithm"),
        (json!({"alg": "HS256", "kid": kid}), "another algorithm"),
        (json!({"alg": "RS512", "kid": kid}), "another algorithm"),
        (json!({"alg": "PS256", "kid": kid}), "another algorithm"),
        (json!({"alg": "RS256", "kid": kid, "crit": ["exp"]}), "critical"),
        (json!({"alg": "RS256"}), "names no key"),
        (json!({"alg": "RS256", "kid": "made-up"}), "does not publish"),
    ] {
        let token = world.google.borrow_mut().sign_as(&header, &claims);
        let message = refused(&world, &token);
        assert!(message.contains(told), "{header}: {message}");
    }

    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let mut other = claims.clone();
    other["email"] = json!("eve@evil.example");
    let payload = URL_SAFE_NO_PAD.encode(other.to_string());
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[100] ^= 1;
    let long = format!("{signed}.{}", "A".repeat(20_000));
    for forged in [
        format!("{header}.{payload}.{signature}"),
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&flipped)),
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&flipped[..200])),
        format!("{signed}."),
        signed.to_owned(),
        long,
        "a.b.c".into(),
        String::new(),
    ] {
        refused(&world, &forged);
    }
}

#[test]
fn only_members_of_the_domains_are_let_in() {
    let world = World::new();
    world.set("google_hosted_domains", "northwind.example, lumen.example");
    let answer = world.sign_in(&token(&world, WEB), &ada().email);
    assert_eq!(
        answer.refusal(),
        (403, "not_allowed".into()),
        "the address alone proves no membership"
    );
    let member = Person {
        domain: Some("Northwind.example".into()),
        ..ada()
    };
    world.google.borrow_mut().add_person(member);
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
    let stranger = with(&world, |claims| claims["hd"] = json!("evil.example"));
    assert_eq!(world.sign_in(&stranger, &ada().email).status, 403);
}

#[test]
fn keys_are_fetched_once_for_as_long_as_google_says() {
    let world = World::new();
    world.google.borrow_mut().set_max_age(600);
    let email = ada().email;
    let sign_in = || {
        let body = json!({"google_token": token(&world, WEB), "user_email": email}).to_string();
        let world = world.clone();
        async move { world.send("POST", "/auth/google", "", &body).await.status }
    };
    let statuses = block_on(join_all((0..20).map(|_| sign_in())));
    assert_eq!(statuses, [200; 20]);
    assert_eq!(world.asked(CERTS), 1, "all at the same time");
    world.wait(599_000);
    assert_eq!(block_on(sign_in()), 200);
    assert_eq!(world.asked(CERTS), 1);
    world.wait(1_000);
    assert_eq!(block_on(sign_in()), 200);
    assert_eq!(world.asked(CERTS), 2, "their time is over");
}

#[test]
fn a_new_key_is_found_and_an_old_one_ends() {
    let world = World::new();
    let old = token(&world, WEB);
    assert_eq!(world.sign_in(&old, &ada().email).status, 200);
    world.wait(FLOOR);
    world.google.borrow_mut().rotate_keys();
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
    assert_eq!(world.asked(CERTS), 2);
    assert_eq!(
        world.sign_in(&old, &ada().email).status,
        200,
        "the key before is published on"
    );
    world.wait(FLOOR);
    world.google.borrow_mut().rotate_keys();
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
    assert!(refused(&world, &old).contains("does not publish"));
    assert_eq!(world.asked(CERTS), 3);
}

#[test]
fn a_flood_of_made_up_keys_is_no_flood_at_google() {
    let world = World::new();
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
    world.wait(FLOOR);
    let claims = world.google.borrow().claims(&ada(), WEB);
    for number in 0..50 {
        let header = json!({"alg": "RS256", "kid": format!("made-up-{number}")});
        let token = world.google.borrow_mut().sign_as(&header, &claims);
        assert!(refused(&world, &token).contains("does not publish"));
    }
    assert_eq!(world.asked(CERTS), 2);
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
}

#[test]
fn without_googles_keys_nobody_is_believed_and_google_is_left_alone() {
    let world = World::new();
    for down in [
        Down::Unreachable,
        Down::Status(503, None),
        Down::Status(500, Some(2)),
    ] {
        world.down.set(Some(down));
        world.wait(10_000);
        let before = world.asked(CERTS);
        for _ in 0..5 {
            let answer = world.sign_in(&token(&world, WEB), &ada().email);
            assert_eq!(answer.refusal(), (503, "unavailable".into()));
            assert_eq!(answer.header("retry-after"), "2");
        }
        assert_eq!(world.asked(CERTS), before + 1, "{down:?}");
    }
    world.down.set(None);
    world.wait(2_000);
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
}

#[test]
fn a_key_that_was_kept_is_good_while_google_is_away() {
    let world = World::new();
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
    world.down.set(Some(Down::Unreachable));
    assert_eq!(world.sign_in(&token(&world, WEB), &ada().email).status, 200);
}

#[test]
fn what_is_not_configured_says_which_variable_is_missing() {
    for (unset, told) in [
        (
            &["google_client_id", "google_sign_in_client_ids"] as &[_],
            "`google_client_id`",
        ),
        (&["jwt_secret"], "`jwt_secret`"),
    ] {
        let world = World::new();
        unset.iter().for_each(|variable| world.set(variable, ""));
        let answer = world.sign_in("x", "y");
        assert_eq!(answer.refusal(), (501, "not_configured".into()));
        assert!(answer.text.contains(told), "{answer:?}");
    }
    let world = World::new();
    world.set("jwt_secret", "short");
    let answer = world.sign_in("x", "y");
    assert_eq!(answer.refusal(), (500, "misconfigured".into()));
    assert!(!answer.text.contains("`short`"), "{answer:?}");
}

#[test]
fn what_cannot_be_read_is_told() {
    let world = World::new();
    for body in [
        "",
        "{}",
        "[]",
        "{\"google_token\": 1, \"user_email\": \"a\"}",
        "not json",
    ] {
        let answer = block_on(world.send("POST", "/auth/google", "", body));
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{body}");
    }
    let large = format!("\"{}\"", "a".repeat(70_000));
    let answer = block_on(world.send("POST", "/auth/google", "", &large));
    assert_eq!(answer.refusal(), (413, "too_large".into()));
    let answer = world.ask("GET", "/auth/google", "", Value::Null);
    assert_eq!(answer.refusal(), (405, "method_not_allowed".into()));
    assert_eq!(answer.header("allow"), "POST");
    let answer = world.ask("GET", "/auth/elsewhere", "", Value::Null);
    assert_eq!(answer.refusal(), (404, "not_found".into()));
}
