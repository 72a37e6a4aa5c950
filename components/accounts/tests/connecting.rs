//! Connecting a Google account, and forgetting it.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_google_fake::oauth::Consent;
use futures::executor::block_on;
use futures::future::join_all;
use serde_json::{Value, json};
use support::{APP, Down, REDIRECT, WEB, World, ada, bob};

const GMAIL: &str = "https://www.googleapis.com/auth/gmail.modify";
const MINUTE: u64 = 60_000;

fn query(url: &str) -> Vec<(String, String)> {
    let (_, query) = url.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn parameter(url: &str, name: &str) -> String {
    let found = query(url).into_iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn whoever_signs_in_with_google_connects_that_account() {
    let world = World::new();
    assert_eq!(world.account(&world.user(&ada())), json!({"connected": false}));
    let user = world.connect_ada();
    let account = world.account(&user);
    assert_eq!(account["connected"], json!(true));
    assert_eq!(account["reconnect"], json!(false));
    assert_eq!(account["email"], ada().email);
    assert!(account["scopes"].as_array().unwrap().contains(&json!(GMAIL)));
    assert_eq!(account["since"], json!("2023-11-14T22:13:20Z"));
    assert_eq!(world.account("somebody"), json!({"connected": false}));
}

#[test]
fn the_tools_are_tested_with_what_is_asked_for() {
    let asked = anyturn_accounts::google::SCOPES.map(|(scope, _)| scope);
    assert_eq!(asked, anyturn_google_fake::scopes::CONNECTED);
}

#[test]
fn googles_page_is_asked_for_what_is_needed_and_no_more() {
    let world = World::new();
    let url = world.begin(&world.user(&ada()), Value::Null);
    assert!(
        url.starts_with("https://accounts.google.com/o/oauth2/v2/auth?"),
        "{url}"
    );
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", WEB),
        ("redirect_uri", REDIRECT),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("code_challenge_method", "S256"),
        ("login_hint", &ada().sub),
        (
            "scope",
            "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/gmail.modify \
             https://www.googleapis.com/auth/calendar.events https://www.googleapis.com/auth/calendar.freebusy \
             https://www.googleapis.com/auth/contacts.readonly https://www.googleapis.com/auth/contacts.other.readonly",
        ),
    ] {
        assert_eq!(parameter(&url, name), value, "{name}");
    }
    assert_eq!(parameter(&url, "code_challenge").len(), 43);
    assert_eq!(parameter(&url, "state").len(), 43);
    let other = world.begin(&world.user(&ada()), Value::Null);
    assert_ne!(parameter(&url, "state"), parameter(&other, "state"));
    assert_ne!(
        parameter(&url, "code_challenge"),
        parameter(&other, "code_challenge")
    );
    assert_eq!(parameter(&world.begin("local", Value::Null), "login_hint"), "");
}

#[test]
fn an_address_that_comes_back_works_once() {
    let world = World::new();
    let user = world.user(&ada());
    let back = world.consent(&world.begin(&user, Value::Null));
    let pages = block_on(join_all((0..5).map(|_| {
        let target = format!("/auth/google/callback{back}");
        let world = world.clone();
        async move { world.send("GET", &target, "", "").await }
    })));
    let connected = pages
        .iter()
        .filter(|page| page.text.contains("<h1>Connected"))
        .count();
    let over = pages
        .iter()
        .filter(|page| page.text.contains("used before"))
        .count();
    assert_eq!((connected, over), (1, 4), "{pages:?}");
    assert_eq!(world.asked("/token"), 1);
    assert_eq!(world.callback(&back).status, 400);
}

#[test]
fn a_flow_is_over_after_ten_minutes() {
    let world = World::new();
    let user = world.user(&ada());
    let back = world.consent(&world.begin(&user, Value::Null));
    world.wait(10 * MINUTE);
    assert!(world.callback(&back).text.contains("older than ten minutes"));
    assert_eq!(world.account(&user)["connected"], json!(false));
    assert_eq!(world.asked("/token"), 0);
}

#[test]
fn a_state_that_nobody_was_given_leads_nowhere() {
    let world = World::new();
    for query in [
        "",
        "?code=4/0x",
        "?state=made-up&code=4/0x",
        "?error=access_denied",
        "?confirm=x",
        "?cancel=x",
    ] {
        let page = world.callback(query);
        assert_eq!(page.status, 400, "{query}");
        assert!(page.text.contains("Begin again"), "{page:?}");
    }
    assert_eq!(world.asked("/token"), 0);
}

#[test]
fn a_code_of_another_flow_is_refused_by_its_verifier() {
    let world = World::new();
    let user = world.user(&ada());
    let mine = world.begin(&user, Value::Null);
    let stolen = world.consent(&world.begin(&user, Value::Null));
    let injected = format!(
        "?state={}&code={}",
        parameter(&mine, "state"),
        parameter(&stolen, "code")
    );
    let page = world.callback(&injected);
    assert_eq!(page.status, 409, "{page:?}");
    assert_eq!(world.account(&user)["connected"], json!(false));
}

#[test]
fn nobody_connects_a_strangers_account_without_the_stranger_seeing_to_whom() {
    let world = World::new();
    world.google.borrow_mut().visitor(&bob().email, Consent::All);
    let page = world.callback(&world.consent(&world.begin("mallory", json!({"return_to": APP}))));
    assert!(page.text.contains("mallory would be able to use"), "{page:?}");
    assert!(page.text.contains(&bob().email), "{page:?}");
    assert_eq!(world.account("mallory")["connected"], json!(false));
    let cancel = page.link("Do not connect");
    assert_eq!(
        world.callback(&cancel).header("location"),
        format!("{APP}?google=failed&reason=cancelled")
    );
    assert!(
        !world.google.borrow().has_permission(&bob().sub),
        "it is taken back"
    );
    assert_eq!(
        world.callback(&page.link("Connect")).status,
        400,
        "it was answered"
    );
    assert_eq!(world.account("mallory")["connected"], json!(false));
}

#[test]
fn who_says_yes_to_the_page_is_connected() {
    let world = World::new();
    world.google.borrow_mut().visitor(&bob().email, Consent::All);
    let page = world.callback(&world.consent(&world.begin("local", Value::Null)));
    let connected = world.callback(&page.link("Connect"));
    assert!(
        connected.text.contains("bob@lumen.example is connected"),
        "{connected:?}"
    );
    assert_eq!(world.account("local")["email"], bob().email);
    assert_eq!(world.token("local").status, 200);
    assert_eq!(world.callback(&page.link("Connect")).status, 400, "once");
}

#[test]
fn who_signs_in_with_one_account_cannot_be_given_another() {
    let world = World::new();
    let user = world.user(&ada());
    world.google.borrow_mut().visitor(&bob().email, Consent::All);
    let page = world.callback(&world.consent(&world.begin(&user, Value::Null)));
    assert_eq!(page.status, 403);
    assert!(page.text.contains("another Google account"), "{page:?}");
    assert_eq!(world.account(&user)["connected"], json!(false));
    assert!(!world.google.borrow().has_permission(&bob().sub));
}

#[test]
fn what_was_not_allowed_is_told_and_nothing_allowed_connects_nothing() {
    let world = World::new();
    let user = world.user(&ada());
    let only = |scopes: &[&str]| Consent::Only(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    world.google.borrow_mut().visitor(&ada().email, only(&[GMAIL]));
    let page = world.callback(&world.consent(&world.begin(&user, Value::Null)));
    assert!(
        page.text.contains("without: calendar, free time, contacts"),
        "{page:?}"
    );
    let scopes = world.token(&user).json()["scopes"].clone();
    assert!(scopes.as_array().unwrap().contains(&json!(GMAIL)), "{scopes}");
    assert_eq!(scopes.as_array().unwrap().len(), 3, "{scopes}");

    let other = World::new();
    other.google.borrow_mut().visitor(&ada().email, only(&[]));
    let page = other.callback(&other.consent(&other.begin(&user, Value::Null)));
    assert!(page.text.contains("did not allow"), "{page:?}");
    assert_eq!(other.account(&user)["connected"], json!(false));
    assert!(!other.google.borrow().has_permission(&ada().sub));
}

#[test]
fn who_says_no_at_google_is_believed() {
    let world = World::new();
    let user = world.user(&ada());
    world.google.borrow_mut().visitor(&ada().email, Consent::Deny);
    let page = world.callback(&world.consent(&world.begin(&user, Value::Null)));
    assert!(page.text.contains("did not allow the access"), "{page:?}");
    let back = world.consent(&world.begin(&user, json!({"return_to": APP})));
    assert_eq!(
        world.callback(&back).header("location"),
        format!("{APP}?google=failed&reason=access_denied")
    );
}

#[test]
fn a_browser_is_sent_to_listed_addresses_only() {
    let world = World::new();
    let user = world.user(&ada());
    for address in [
        "https://evil.example",
        "com.example.app://connected/x",
        "",
        "//evil.example",
    ] {
        let answer = world.ask(
            "POST",
            "/auth/google/authorize",
            &user,
            json!({"return_to": address}),
        );
        assert_eq!(answer.refusal(), (422, "return_to".into()), "{address}");
    }
    let back = world.consent(&world.begin(&user, json!({"return_to": APP})));
    let answer = world.callback(&back);
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), format!("{APP}?google=connected"));

    let back = world.consent(&world.begin(&user, json!({"return_to": APP})));
    world.set("google_return_urls", "");
    assert_eq!(
        world.callback(&back).status,
        200,
        "it was taken off the list meanwhile"
    );
}

#[test]
fn an_account_is_forgotten_and_its_permission_taken_back() {
    let world = World::new();
    let user = world.connect_ada();
    let answer = world.ask("DELETE", "/auth/google/account", &user, Value::Null);
    assert_eq!(answer.json()["revoked"], json!(true), "{answer:?}");
    assert!(!world.google.borrow().has_permission(&ada().sub));
    assert_eq!(world.account(&user), json!({"connected": false}));
    assert_eq!(world.token(&user).refusal(), (404, "no_account".into()));
    let again = world
        .ask("DELETE", "/auth/google/account", &user, Value::Null)
        .json();
    assert_eq!(
        (&again["success"], &again["revoked"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn an_account_is_forgotten_even_when_google_is_away_or_the_keys_are_gone() {
    for trouble in [
        Down::Unreachable,
        Down::Status(503, None),
        Down::Status(400, None),
    ] {
        let world = World::new();
        let user = world.connect_ada();
        world.down.set(Some(trouble));
        let answer = world.ask("DELETE", "/auth/google/account", &user, Value::Null);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["revoked"], json!(false), "{trouble:?}");
        assert_eq!(world.account(&user), json!({"connected": false}));
    }
    let world = World::new();
    let user = world.connect_ada();
    world.set("token_keys", "");
    assert_eq!(
        world
            .ask("DELETE", "/auth/google/account", &user, Value::Null)
            .status,
        200
    );
    assert_eq!(world.account(&user), json!({"connected": false}));
}

#[test]
fn another_account_takes_the_place_of_the_first() {
    let world = World::new();
    for person in [ada(), bob()] {
        world.google.borrow_mut().visitor(&person.email, Consent::All);
        let page = world.callback(&world.consent(&world.begin("local", Value::Null)));
        world.callback(&page.link("Connect"));
        assert_eq!(world.account("local")["email"], person.email);
    }
    let google = world.google.borrow();
    assert!(!google.has_permission(&ada().sub) && google.has_permission(&bob().sub));
}

#[test]
fn without_keys_nothing_is_connected_and_the_variable_is_named() {
    for (variable, value, refusal) in [
        ("token_keys", "", (501, "not_configured")),
        ("google_client_id", "", (501, "not_configured")),
        ("google_client_secret", "", (501, "not_configured")),
        ("google_redirect_uri", "", (501, "not_configured")),
        ("token_keys", "2026:c2hvcnQ=", (500, "misconfigured")),
    ] {
        let world = World::new();
        world.set(variable, value);
        let answer = world.ask("POST", "/auth/google/authorize", "ada", Value::Null);
        assert_eq!(answer.refusal(), (refusal.0, refusal.1.into()));
        assert!(answer.text.contains(&format!("`{variable}`")), "{answer:?}");
        assert_eq!(world.callback("?state=x&code=y").status, refusal.0);
    }
}

#[test]
fn google_in_trouble_connects_nothing_and_says_so() {
    let world = World::new();
    let user = world.user(&ada());
    let back = world.consent(&world.begin(&user, json!({"return_to": APP})));
    world.down.set(Some(Down::Status(503, None)));
    assert_eq!(
        world.callback(&back).header("location"),
        format!("{APP}?google=failed&reason=unavailable")
    );
    world.down.set(None);
    world.set("google_client_secret", "wrong");
    let back = world.consent(&world.begin(&user, Value::Null));
    let page = world.callback(&back);
    assert_eq!(page.status, 500);
    assert!(page.text.contains("invalid_client"), "{page:?}");
    assert_eq!(world.account(&user)["connected"], json!(false));
}

#[test]
fn nobody_in_particular_has_no_account() {
    let world = World::new();
    for (method, path) in [
        ("POST", "/auth/google/authorize"),
        ("GET", "/auth/google/account"),
        ("DELETE", "/auth/google/account"),
        ("POST", "/token"),
    ] {
        let answer = world.ask(method, path, "", Value::Null);
        assert_eq!(answer.refusal(), (401, "unauthenticated".into()), "{path}");
    }
}
