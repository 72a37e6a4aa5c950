//! A host whose users connect Google accounts, and somebody who has: signed in and consented as a browser does, at the
//! fake of Google.

use anyturn_google_fake::FakeGoogle;
use anyturn_google_fake::oauth::{Client, Consent, Person};
use serde_json::{Value, json};

use crate::host::{Host, HostBuilder};
use crate::json_of;
use crate::process::free_port;

const CLIENT: &str = "anyturn.apps.googleusercontent.com";
const CLIENT_SECRET: &str = "the client's secret";

/// Starts the host, which finds all of Google at the fake, and connects the account of this address. Returns the host and
/// the token of the user.
pub async fn connected(google: &FakeGoogle, host: HostBuilder, email: &str) -> (Host, String) {
    let port = free_port();
    let redirect = format!("http://127.0.0.1:{port}/api/auth/google/callback");
    let id_token = google.oauth(|oauth| {
        oauth.add_client(Client {
            id: CLIENT.to_owned(),
            secret: CLIENT_SECRET.to_owned(),
            redirect_uris: vec![redirect.clone()],
        });
        oauth.add_person(Person::new("117000000000000000001", email));
        oauth.visitor(email, Consent::All);
        oauth.id_token(email, CLIENT)
    });
    let url = google.url();
    let mut host = host
        .port(port)
        .env("JWT_SECRET", "a secret of at least thirty-two bytes")
        .env("SPIN_VARIABLE_GOOGLE_CLIENT_ID", CLIENT)
        .env("SPIN_VARIABLE_GOOGLE_CLIENT_SECRET", CLIENT_SECRET)
        .env("SPIN_VARIABLE_GOOGLE_REDIRECT_URI", redirect)
        .env(
            "SPIN_VARIABLE_TOKEN_KEYS",
            "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        )
        .env("SPIN_VARIABLE_GOOGLE_CERTS_URL", format!("{url}/oauth2/v3/certs"));
    for api in ["ACCOUNTS", "OAUTH", "GMAIL", "CALENDAR", "PEOPLE"] {
        host = host.env(&format!("SPIN_VARIABLE_GOOGLE_{api}_URL"), &url);
    }
    let host = host.start().await;
    let ok = |(status, body): (reqwest::StatusCode, Value)| {
        assert!(status.is_success(), "{status}: {body}");
        body
    };
    let sign_in = json!({ "google_token": id_token, "user_email": email });
    let signed_in = ok(json_of(host.post("/api/auth/google", &sign_in)).await);
    let token = text(&signed_in, "jwt_token");
    let authorize = host.post("/api/auth/google/authorize", &json!({}));
    let authorized = ok(json_of(authorize.bearer_auth(&token)).await);
    // The browser: Google's page of consent sends it back to anyturn.
    let browser = crate::client();
    let page = text(&authorized, "authorization_url");
    let consented = visit(&browser, &page).await;
    let back = consented
        .headers()
        .get("location")
        .and_then(|back| back.to_str().ok());
    let back = back.unwrap_or_else(|| panic!("Google sends the browser back: {consented:?}"));
    let page = visit(&browser, back).await;
    let status = page.status();
    assert!(status.is_success() || status.is_redirection(), "{page:?}");
    (host, token)
}

async fn visit(browser: &reqwest::Client, page: &str) -> reqwest::Response {
    let answer = browser.get(page).send().await;
    answer.unwrap_or_else(|error| panic!("{page} answers: {error}"))
}

fn text(body: &Value, name: &str) -> String {
    let text = body.get(name).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{name} is a text: {body}"))
        .to_owned()
}
