//! Signing in with Google and connecting an account, through the real program and a fake of Google.

use anyturn_google_fake::FakeGoogle;
use anyturn_google_fake::oauth::{Client, Consent, Person};
use anyturn_tests::application::Application;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::json_of;
use anyturn_tests::redis_server::RedisServer;
use anyturn_tests::users::{SECRET, token};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const WEB: &str = "web.apps.googleusercontent.example";
const CLIENT_SECRET: &str = "GOCSPX-a-secret-of-the-client";
const REDIRECT: &str = "https://a.example/api/auth/google/callback";
const APP: &str = "com.example.app://connected";
const ADA: &str = "ada@northwind.example";
const BOB: &str = "bob@lumen.example";

async fn google() -> FakeGoogle {
    let google = FakeGoogle::start().await.unwrap();
    google.oauth(|oauth| {
        oauth.add_client(Client {
            id: WEB.to_owned(),
            secret: CLIENT_SECRET.to_owned(),
            redirect_uris: vec![REDIRECT.to_owned()],
        });
        oauth.add_person(Person::new("117000000000000000001", ADA));
        oauth.add_person(Person::new("117000000000000000002", BOB));
    });
    google
}

fn keys() -> String {
    format!("2026-11:{}", STANDARD.encode([7; 32]))
}

/// The application, with what tools ask open to the test, which is no tool.
fn application() -> Application {
    Application::copy().append("[[trigger.http]]\nroute = \"/token\"\ncomponent = \"accounts\"\n")
}

async fn host(application: &Application, google: &FakeGoogle, redis: &RedisServer) -> Host {
    HostBuilder::new()
        .manifest(application.manifest())
        .redis(&redis.url())
        .env("SPIN_VARIABLE_JWT_SECRET", SECRET)
        .env("SPIN_VARIABLE_GOOGLE_CLIENT_ID", WEB)
        .env("SPIN_VARIABLE_GOOGLE_CLIENT_SECRET", CLIENT_SECRET)
        .env("SPIN_VARIABLE_GOOGLE_REDIRECT_URI", REDIRECT)
        .env("SPIN_VARIABLE_GOOGLE_RETURN_URLS", APP)
        .env("SPIN_VARIABLE_TOKEN_KEYS", keys())
        .env("SPIN_VARIABLE_GOOGLE_ACCOUNTS_URL", google.url())
        .env("SPIN_VARIABLE_GOOGLE_OAUTH_URL", google.url())
        .env(
            "SPIN_VARIABLE_GOOGLE_CERTS_URL",
            format!("{}/oauth2/v3/certs", google.url()),
        )
        .env("RUST_LOG", "debug")
        .start()
        .await
}

/// Signs in, and returns the token and the user's id.
async fn sign_in(host: &Host, google: &FakeGoogle, email: &str) -> (String, String) {
    let token = google.oauth(|oauth| oauth.id_token(email, WEB));
    let body = json!({ "google_token": token, "user_email": email });
    let (status, signed_in) = json_of(host.post("/api/auth/google", &body)).await;
    assert_eq!(status, StatusCode::OK, "{signed_in}");
    let text = |name: &str| signed_in[name].as_str().unwrap().to_owned();
    (text("jwt_token"), text("user_id"))
}

/// Begins to connect an account, consents at Google as this person, and returns where Google sends the browser.
async fn consent(host: &Host, google: &FakeGoogle, jwt: &str, email: &str, body: Value) -> String {
    google.oauth(|oauth| oauth.visitor(email, Consent::All));
    let (status, begun) = json_of(host.post("/api/auth/google/authorize", &body).bearer_auth(jwt)).await;
    assert_eq!(status, StatusCode::OK, "{begun}");
    let page = begun["authorization_url"].as_str().unwrap();
    let answer = host.client().get(page).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    let location = answer.headers()["location"].to_str().unwrap();
    location.strip_prefix(REDIRECT).unwrap().to_owned()
}

/// Comes back from Google, as the browser does.
async fn come_back(host: &Host, query: &str) -> reqwest::Response {
    let path = format!("/api/auth/google/callback{query}");
    host.get(&path).send().await.unwrap()
}

/// Asks for an access token as a tool's component does.
async fn access(host: &Host, user: &str, body: Value) -> (StatusCode, Value) {
    json_of(host.post("/token", &body).header("anyturn-user", user)).await
}

#[tokio::test]
async fn from_signing_in_to_a_tools_access_and_back() {
    let (google, redis, application) = (google().await, RedisServer::start().await, application());
    let host = host(&application, &google, &redis).await;
    let (jwt, user) = sign_in(&host, &google, ADA).await;
    let sessions = host.get("/v1/sessions").bearer_auth(&jwt).send().await.unwrap();
    assert_eq!(sessions.status(), StatusCode::OK, "chat accepts the token");
    assert_eq!(access(&host, &user, json!({})).await.0, StatusCode::NOT_FOUND);

    let back = consent(&host, &google, &jwt, ADA, json!({ "return_to": APP })).await;
    let ended = come_back(&host, &back).await;
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    assert_eq!(ended.headers()["location"], format!("{APP}?google=connected"));
    let (_, account) = json_of(host.get("/api/auth/google/account").bearer_auth(&jwt)).await;
    assert_eq!(
        (&account["connected"], &account["email"]),
        (&json!(true), &json!(ADA))
    );

    let (status, given) = access(&host, &user, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{given}");
    let profile = host
        .client()
        .get(format!("{}/gmail/v1/users/me/profile", google.url()))
        .bearer_auth(given["access_token"].as_str().unwrap());
    assert_ne!(
        profile.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED,
        "Google's APIs accept the token"
    );

    let forgotten = host
        .request("DELETE", "/api/auth/google/account")
        .bearer_auth(&jwt);
    let (status, forgotten) = json_of(forgotten).await;
    assert_eq!((status, &forgotten["revoked"]), (StatusCode::OK, &json!(true)));
    assert!(google.oauth(|oauth| !oauth.has_permission("117000000000000000001")));
    assert_eq!(access(&host, &user, json!({})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_tools_ask_cannot_be_asked_from_outside() {
    let (google, redis) = (google().await, RedisServer::start().await);
    let host = host(&Application::copy(), &google, &redis).await;
    let (jwt, _) = sign_in(&host, &google, ADA).await;
    for path in [
        "/token",
        "/api/token",
        "/api/accounts/token",
        "/api/auth/token",
        "/api/auth/../token",
    ] {
        let asked = host
            .post(path, &json!({}))
            .bearer_auth(&jwt)
            .header("anyturn-user", "google-117000000000000000001");
        let status = asked.send().await.unwrap().status();
        assert!(status.is_client_error(), "{path}: {status}");
    }
    // Nor does a header make somebody else of whoever connects.
    let back = consent(&host, &google, &jwt, ADA, json!({})).await;
    come_back(&host, &back).await;
    let others = host
        .get("/api/auth/google/account")
        .bearer_auth(token("bob"))
        .header("anyturn-user", "google-117000000000000000001");
    assert_eq!(json_of(others).await.1, json!({ "connected": false }));
}

#[tokio::test]
async fn hosts_that_share_a_store_refresh_once() {
    let (google, redis, application) = (google().await, RedisServer::start().await, application());
    let one = host(&application, &google, &redis).await;
    let two = host(&application, &google, &redis).await;
    let (jwt, user) = sign_in(&one, &google, ADA).await;
    let back = consent(&one, &google, &jwt, ADA, json!({})).await;
    let page = come_back(&two, &back).await.text().await.unwrap();
    assert!(
        page.contains("<h1>Connected"),
        "the other host ends the flow: {page}"
    );

    let (_, first) = access(&one, &user, json!({})).await;
    let digest = Sha256::digest(first["access_token"].as_str().unwrap());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let before = google.count("/token");
    let asked = (0..40).map(|number| {
        let host = if number % 2 == 0 { &one } else { &two };
        access(host, &user, json!({ "stale": hash }))
    });
    let answers = futures::future::join_all(asked).await;
    let fresh = &answers[0].1["access_token"];
    for (status, answer) in &answers {
        assert_eq!(
            (*status, &answer["access_token"]),
            (StatusCode::OK, fresh),
            "{answer}"
        );
    }
    assert_ne!(fresh, &first["access_token"]);
    assert_eq!(google.count("/token"), before + 1);
}

#[tokio::test]
async fn nothing_secret_is_stored_logged_measured_or_told() {
    let (google, redis, application) = (google().await, RedisServer::start().await, application());
    let host = host(&application, &google, &redis).await;
    let mut told = String::new();
    let (jwt, user) = sign_in(&host, &google, ADA).await;
    let wrong = json!({ "google_token": google.oauth(|oauth| oauth.id_token(BOB, WEB)), "user_email": ADA });
    told += &host
        .post("/api/auth/google", &wrong)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();

    let back = consent(&host, &google, &jwt, ADA, json!({})).await;
    for _ in 0..2 {
        told += &come_back(&host, &back).await.text().await.unwrap();
    }
    let mangled = consent(&host, &google, &jwt, ADA, json!({}))
        .await
        .replace("code=4", "code=5");
    told += &come_back(&host, &mangled).await.text().await.unwrap();
    let stranger = consent(&host, &google, &token("carol"), BOB, json!({})).await;
    let page = come_back(&host, &stranger).await.text().await.unwrap();
    assert!(page.contains("carol would be able to use"), "{page}");
    told += &page;
    let (_, given) = access(&host, &user, json!({})).await;
    assert!(given["access_token"].is_string(), "{given}");
    google.revoke(ADA);
    let refused = json!({ "stale": "0".repeat(64) });
    told += &access(&host, &user, refused).await.1["error"].to_string();
    told += &host.get("/metrics").send().await.unwrap().text().await.unwrap();

    let mut secrets = google.oauth(|oauth| oauth.secrets().to_vec());
    secrets.extend([CLIENT_SECRET, SECRET, &keys()[8..]].map(str::to_owned));
    assert!(secrets.len() > 10, "{secrets:?}");
    let (stored, logged) = (redis.written(), host.log());
    assert!(
        stored.contains("2026-11."),
        "sealed tokens are stored: {}",
        stored.len()
    );
    assert!(logged.contains("connecting to"), "requests are logged: {logged}");
    for secret in secrets {
        for (place, text) in [("told", &told), ("stored", &stored), ("logged", &logged)] {
            assert!(!text.contains(&secret), "{secret} is {place}");
        }
    }
    assert!(!stored.contains(&jwt) && !logged.contains(&jwt), "our own token");
}
