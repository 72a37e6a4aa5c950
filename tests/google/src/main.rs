//! Runs the fake by itself, to try anyturn against it by hand: `cargo run -p anyturn-google-fake -- 127.0.0.1:4000`.
//!
//! It prints the settings with which anyturn takes it for Google, and an ID token to sign in with.

use std::net::SocketAddr;

use anyhow::Context;
use anyturn_google_fake::FakeGoogle;
use anyturn_google_fake::oauth::{Client, Consent, Person};

/// Who has an account, and sits at the page of consent.
const EMAIL: &str = "alex.kim@northwind.example";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let address: SocketAddr = address
        .parse()
        .with_context(|| format!("{address} is no address; write one like 127.0.0.1:4000"))?;
    let google = FakeGoogle::bind(address).await?;
    let client = Client {
        id: "web.fake.example".to_owned(),
        secret: "GOCSPX-fake".to_owned(),
        redirect_uris: vec!["http://localhost:3000/api/auth/google/callback".to_owned()],
    };
    let url = google.url();
    println!(
        "export GOOGLE_CLIENT_ID={} GOOGLE_CLIENT_SECRET={}",
        client.id, client.secret
    );
    println!("export GOOGLE_REDIRECT_URI={}", client.redirect_uris.concat());
    for (variable, path) in [("ACCOUNTS", ""), ("OAUTH", ""), ("CERTS", "/oauth2/v3/certs")] {
        println!("export SPIN_VARIABLE_GOOGLE_{variable}_URL={url}{path}");
    }
    let token = google.oauth(|oauth| {
        let audience = client.id.clone();
        oauth.add_client(client);
        oauth.add_person(Person::new("117000000000000000003", EMAIL));
        oauth.visitor(EMAIL, Consent::All);
        oauth.id_token(EMAIL, &audience)
    });
    println!("# {EMAIL} signs in for an hour with\n# {token}");
    println!("# The fake of Google listens at {url}.");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
