//! Signing in and Google accounts, which are the component `accounts`' and passed on to it.

use anyturn_chat::platform::SendError;

use super::*;

/// What `accounts` was asked: method, address, headers of ours, body.
type Asked = Rc<RefCell<Vec<(String, String, Option<String>, Bytes)>>>;

fn accounts(world: &World) -> Asked {
    let asked: Asked = Rc::default();
    let seen = asked.clone();
    world.on_send(move |request| {
        let user = request.headers().get("anyturn-user");
        seen.borrow_mut().push((
            request.method().to_string(),
            request.uri().to_string(),
            user.map(|user| user.to_str().unwrap().to_owned()),
            request.body().clone(),
        ));
        let answer = Full::new(Bytes::from_static(br#"{"jwt_token": "t"}"#));
        Ok(http::Response::builder()
            .status(201)
            .header("content-type", "application/json")
            .header("anyturn-user", "evil")
            .body(answer)
            .unwrap())
    });
    asked
}

#[test]
fn signing_in_is_passed_on_without_a_user_and_the_rest_in_the_callers_name() {
    let world = world();
    let asked = accounts(&world);
    world.set("development_user", "");
    let ana = new_key([1; 32]);
    world.set("api_keys", &format!("{}:ana", ana.sha256));
    let bearer = format!("Bearer {}", ana.key);
    let forged = [("content-type", "application/json"), ("anyturn-user", "root")];
    let signed = world.ask(with(
        "POST",
        "/api/auth/google",
        r#"{"google_token": "g"}"#,
        &forged,
    ));
    assert_eq!((signed.status.as_u16(), signed.header("anyturn-user")), (201, ""));
    world.ask(with("GET", "/api/auth/google/callback?code=c&state=s", "", &[]));
    let known = [("authorization", bearer.as_str()), ("anyturn-user", "root")];
    world.ask(with("DELETE", "/api/auth/google/account", "", &known));
    for (method, path) in [
        ("GET", "/api/auth/google"),
        ("POST", "/api/auth/google/callback"),
        ("POST", "/api/auth/google/authorize"),
        ("GET", "/api/auth/google/account"),
    ] {
        let nobody = world.ask(with(method, path, "", &forged));
        assert_eq!(
            refused(&nobody),
            (401, "unauthorized".to_owned()),
            "{method} {path}"
        );
    }
    let at = |path: &str| format!("http://accounts.spin.internal{path}");
    assert_eq!(
        *asked.borrow(),
        [
            (
                "POST".to_owned(),
                at("/auth/google"),
                None,
                Bytes::from_static(br#"{"google_token": "g"}"#)
            ),
            (
                "GET".to_owned(),
                at("/auth/google/callback?code=c&state=s"),
                None,
                Bytes::new()
            ),
            (
                "DELETE".to_owned(),
                at("/auth/google/account"),
                Some("ana".to_owned()),
                Bytes::new()
            ),
        ]
    );
}

#[test]
fn strangers_are_limited_by_their_address() {
    let world = world();
    let asked = accounts(&world);
    world.set("rate_limit_per_minute", "2");
    let from = |address: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("spin-client-addr", address),
        ];
        world
            .ask(with("POST", "/api/auth/google", "{}", &headers))
            .status
            .as_u16()
    };
    let statuses = [
        from("192.0.2.1:1"),
        from("192.0.2.1:2"),
        from("192.0.2.1:3"),
        from("192.0.2.2:1"),
    ];
    assert_eq!(statuses, [201, 201, 429, 201]);
    assert_eq!(asked.borrow().len(), 3);
}

#[test]
fn accounts_that_do_not_answer_are_told_as_such() {
    let world = world();
    world.on_send(|_| Err(SendError::NotSent("nobody is there".into())));
    let reply = world.post("/api/auth/google", "{}");
    assert_eq!(refused(&reply), (502, "tool-unavailable".to_owned()));
    // They are no tool, so what else they have is out of reach.
    assert_eq!(world.get("/api/accounts/token").problem(), "unknown-tool");
}

#[test]
fn a_token_says_until_when_it_stands_for_somebody() {
    let world = world();
    world.set("development_user", "");
    let ana = new_key([1; 32]);
    world.set("api_keys", &format!("{}:ana::2025-11-20T06:00:00Z", ana.sha256));
    let bearer = format!("Bearer {}", ana.key);
    let caller = world.ask(with("GET", "/api/chat/caller", "", &[("authorization", &bearer)]));
    assert_eq!(
        caller.json(),
        json!({"user_id": "ana", "expires_at": "2025-11-20T06:00:00.000Z"}),
        "now is {NOW}"
    );
}
