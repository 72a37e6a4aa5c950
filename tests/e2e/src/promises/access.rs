//! Who gets in, and from which pages.

use http::StatusCode;
use serde_json::json;

use crate::visit::{Answer, Visit, text};
use crate::{Credentials, Skipped, Verdict};

fn signed_in(visit: &Visit) -> Verdict {
    if visit.site.signs_in() {
        Ok(())
    } else {
        Err(Skipped("nobody signs in here (--key or --token)".to_owned()))
    }
}

pub(crate) async fn without_credentials_nobody_gets_in(visit: &Visit) -> Verdict {
    signed_in(visit)?;
    for path in ["/v1/sessions", "/v1/assistants", "/v1/approvals", "/api/tasks"] {
        let request = visit.get(path).by(&Credentials::None);
        request.problem(401, "unauthorized").await;
    }
    let refused = visit.get("/v1/sessions").by(&Credentials::None).send().await;
    assert!(
        refused.header("www-authenticate").starts_with("Bearer"),
        "{:?}",
        refused.headers
    );
    for path in ["/health", "/docs", "/openapi.json", "/"] {
        let open = visit.get(path).by(&Credentials::None).send().await;
        assert_eq!(open.status, StatusCode::OK, "{path}");
    }
    Ok(())
}

pub(crate) async fn wrong_credentials_are_refused(visit: &Visit) -> Verdict {
    signed_in(visit)?;
    let wrong = [
        Credentials::Token("abc.def.ghi".to_owned()),
        Credentials::Token("ak_0000000000000000000000000000000000000000000000000000000000000000".to_owned()),
        Credentials::Key("ak_0000000000000000000000000000000000000000000000000000000000000000".to_owned()),
        Credentials::Key("nonsense".to_owned()),
    ];
    for credentials in wrong {
        visit
            .get("/v1/sessions")
            .by(&credentials)
            .problem(401, "unauthorized")
            .await;
    }
    Ok(())
}

pub(crate) async fn a_header_does_not_make_somebody_else_of_me(visit: &Visit) -> Verdict {
    let id = visit.task(&visit.own("buy milk")).await;
    for header in ["anyturn-user", "anyturn-roles", "Anyturn-Session"] {
        let task = visit
            .get(&format!("/api/tasks/{id}"))
            .header(header, "somebody-else")
            .ok()
            .await;
        assert_eq!(text(&task["id"]), id, "{header}");
    }
    Ok(())
}

pub(crate) async fn a_page_of_another_origin_is_refused(visit: &Visit) -> Verdict {
    const EVIL: &str = "https://evil.example";
    let message = json!({ "message": "hi" });
    let refused = visit
        .post("/v1/assistants/chat/turns", &message)
        .header("origin", EVIL);
    refused.problem(403, "origin-not-allowed").await;
    let preflight = visit.request("OPTIONS", "/v1/sessions").header("origin", EVIL);
    let preflight = preflight
        .header("access-control-request-method", "POST")
        .send()
        .await;
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        "",
        "{:?}",
        preflight.headers
    );
    Ok(())
}

pub(crate) async fn a_page_of_a_listed_origin_may_read_the_answers(visit: &Visit) -> Verdict {
    let origin = visit.site.origin.as_ref().ok_or_else(|| {
        Skipped("no origin that the deployment lists in cors_origins was given (--origin)".to_owned())
    })?;
    let preflight = visit
        .request("OPTIONS", "/v1/assistants/chat/turns")
        .by(&Credentials::None);
    let preflight = preflight
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, content-type")
        .send()
        .await;
    assert!(preflight.status.is_success(), "{}", preflight.text);
    assert_eq!(preflight.header("access-control-allow-origin"), origin);
    assert!(
        preflight.header("access-control-allow-methods").contains("POST"),
        "{:?}",
        preflight.headers
    );
    let answer = visit.get("/v1/sessions").header("origin", origin).send().await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (StatusCode::OK, origin.as_str())
    );
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("anyturn-session"),
        "{:?}",
        answer.headers
    );
    Ok(())
}

pub(crate) async fn answers_say_how_many_requests_are_left(visit: &Visit) -> Verdict {
    let number = |answer: &Answer, name: &str| answer.header(name).parse::<u64>().ok();
    let first = visit.get("/v1/sessions").send().await;
    let Some(left) = number(&first, "x-ratelimit-remaining") else {
        return Err(Skipped("requests are not limited here".to_owned()));
    };
    let second = visit.get("/v1/sessions").send().await;
    let fewer = number(&second, "x-ratelimit-remaining").is_some_and(|now| now < left);
    let another_minute = number(&second, "x-ratelimit-reset") > number(&first, "x-ratelimit-reset");
    assert!(
        fewer || another_minute,
        "{:?}, then {:?}",
        first.headers,
        second.headers
    );
    assert!(
        second.header("ratelimit-policy").contains("w=60"),
        "{:?}",
        second.headers
    );
    Ok(())
}
