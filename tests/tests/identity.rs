//! Who is calling: everybody sees their own, and nobody else's.

use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::json_of;
use anyturn_tests::users::{SECRET, now, signed, token};
use reqwest::StatusCode;
use serde_json::json;

async fn signed_in() -> Host {
    HostBuilder::new().env("JWT_SECRET", SECRET).start().await
}

#[tokio::test]
async fn a_header_does_not_make_somebody_else_of_me() {
    let host = signed_in().await;
    host.post("/api/tasks", &json!({ "title": "alice's" }))
        .bearer_auth(token("alice"))
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let (_, tasks) = json_of(
        host.get("/api/tasks")
            .bearer_auth(token("bob"))
            .header("anyturn-user", "alice"),
    )
    .await;
    assert_eq!(tasks["tasks"], json!([]));
}

#[tokio::test]
async fn a_token_that_lies_is_refused() {
    let host = signed_in().await;
    let head = json!({ "alg": "HS256", "typ": "JWT" });
    let good = json!({ "sub": "alice", "exp": now() + 60 });
    let another = "another secret, that nobody gave to the server";
    for (what, token) in [
        ("another secret", signed(&head, &good, another)),
        ("no algorithm", signed(&json!({ "alg": "none" }), &good, SECRET)),
        (
            "another algorithm",
            signed(&json!({ "alg": "HS512" }), &good, SECRET),
        ),
        (
            "expired",
            signed(&head, &json!({ "sub": "alice", "exp": now() - 600 }), SECRET),
        ),
        (
            "not yet valid",
            signed(
                &head,
                &json!({ "sub": "alice", "exp": now() + 900, "nbf": now() + 600 }),
                SECRET,
            ),
        ),
        ("no subject", signed(&head, &json!({ "exp": now() + 60 }), SECRET)),
        ("nonsense", "abc.def".to_owned()),
        ("empty", String::new()),
    ] {
        let refused = host
            .get("/v1/sessions")
            .header("authorization", format!("Bearer {token}"))
            .send()
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{what}");
        assert!(
            refused.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer"),
            "{what}"
        );
        let text = refused.text().await.unwrap();
        assert!(!text.contains(SECRET) && !text.contains("panicked"), "{text}");
    }
    let none = host.get("/v1/sessions").send().await.unwrap();
    assert_eq!(none.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(none.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn an_api_key_made_by_the_command_is_accepted_and_kept_as_a_hash_only() {
    let made = std::process::Command::new(anyturn_tests::host::binary())
        .args(["key", "new", "--user", "alice"])
        .output()
        .unwrap();
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(
        made.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let word = |start: fn(&str) -> bool| {
        said.split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']))
            .find(|word| start(word))
            .unwrap_or_else(|| panic!("{said}"))
            .to_owned()
    };
    let key = word(|word| word.starts_with("ak_"));
    let entry = word(|word| word.contains(":alice"))
        .rsplit('=')
        .next()
        .unwrap()
        .trim_matches(['"', '\''])
        .to_owned();
    assert!(!entry.contains(&key));

    let host = HostBuilder::new().env("API_KEYS", entry).start().await;
    assert_eq!(
        host.get("/v1/sessions")
            .bearer_auth(&key)
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
    assert_eq!(
        host.get("/v1/sessions")
            .header("x-api-key", &key)
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
    assert_eq!(
        host.get("/v1/sessions")
            .bearer_auth(format!("{key}x"))
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn requests_over_the_limit_are_told_when_to_come_back() {
    let host = HostBuilder::new()
        .env("JWT_SECRET", SECRET)
        .env("RATE_LIMIT_PER_MINUTE", "3")
        .start()
        .await;
    let ask = |user: &str| {
        host.post("/v1/assistants/chat/turns", &json!({ "message": "hello" }))
            .bearer_auth(token(user))
            .send()
    };
    for used in 1..=3 {
        let answer = ask("alice").await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(
            answer.headers()["x-ratelimit-remaining"],
            (3 - used).to_string().as_str()
        );
        assert!(
            answer.headers().contains_key("ratelimit") && answer.headers().contains_key("ratelimit-policy")
        );
    }
    let refused = ask("alice").await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        ask("bob").await.unwrap().status(),
        StatusCode::OK,
        "one user's limit is not another's"
    );
    let (_, sessions) = json_of(host.get("/v1/sessions").bearer_auth(token("carol"))).await;
    assert_eq!(sessions["data"], json!([]));
}

#[tokio::test]
async fn a_public_address_without_sign_in_is_refused_with_the_reason() {
    let (status, said) = HostBuilder::new()
        .arg("--listen")
        .arg("0.0.0.0:0")
        .refused()
        .await;
    assert!(!status.success());
    assert!(said.contains("JWT_SECRET") && said.contains("API_KEYS"), "{said}");
}

#[tokio::test]
async fn a_foreign_site_cannot_use_the_local_user() {
    let host = Host::start().await;
    let rebound = host
        .get("/v1/sessions")
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert!(rebound.status().is_client_error(), "{}", rebound.status());
    let cross = host
        .post(
            "/v1/assistants/tasks/turns",
            &json!({ "message": "add buy milk" }),
        )
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .unwrap();
    assert_eq!(cross.status(), StatusCode::FORBIDDEN);
}
