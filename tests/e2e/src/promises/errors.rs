//! Bad input gets a clear answer, and nothing is lost.

use http::StatusCode;
use serde_json::json;

use crate::Verdict;
use crate::visit::{Request, Visit, text};

const NEW: &str = "/v1/assistants/chat/turns";
const NO_SESSION: &str = "/v1/sessions/ses_00000000000000000000000000";

fn send<'a>(visit: &'a Visit, body: &str) -> Request<'a> {
    visit
        .request("POST", NEW)
        .body("application/json", body.to_owned())
}

pub(crate) async fn unknown_things_are_named(visit: &Visit) -> Verdict {
    let hi = json!({ "message": "hi" });
    visit.get("/v1/nothing").problem(404, "not-found").await;
    let said = visit
        .post("/v1/assistants/nobody/turns", &hi)
        .problem(404, "unknown-assistant")
        .await;
    assert!(text(&said["detail"]).contains("nobody"), "{said}");
    visit.get(NO_SESSION).problem(404, "unknown-session").await;
    visit
        .post(&format!("{NO_SESSION}/turns"), &hi)
        .problem(404, "unknown-session")
        .await;
    let (session, _) = visit.begin("chat", "hello").await;
    let turn = format!("/v1/sessions/{session}/turns/turn_00000000000000000000000000");
    visit.get(&turn).problem(404, "unknown-turn").await;
    visit
        .get(&format!("{turn}/events"))
        .problem(404, "unknown-turn")
        .await;
    visit.get("/api/nothing").problem(404, "unknown-tool").await;
    Ok(())
}

pub(crate) async fn a_wrong_method_is_told_the_right_ones(visit: &Visit) -> Verdict {
    for (method, path, right) in [
        ("PUT", "/v1/sessions", "GET"),
        ("GET", NEW, "POST"),
        ("PUT", "/api/tasks", "POST"),
    ] {
        let answer = visit.request(method, path).send().await;
        assert_eq!(
            answer.status,
            StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}: {}",
            answer.text
        );
        assert!(
            answer.header("allow").contains(right),
            "{method} {path}: {:?}",
            answer.headers
        );
    }
    Ok(())
}

pub(crate) async fn a_body_that_is_wrong_is_told_where(visit: &Visit) -> Verdict {
    let malformed = send(visit, "{\"message\": \"hi\",,}")
        .problem(400, "malformed-json")
        .await;
    assert_eq!(
        (&malformed["line"], &malformed["column"]),
        (&json!(1), &json!(18)),
        "{malformed}"
    );
    for (body, pointer) in [
        (r#"{"message": 7}"#, "/message"),
        (r#"{"message": "hi", "mesage": 1}"#, "/mesage"),
        (r#"{"message": "hi", "options": {"seed": "x"}}"#, "/options/seed"),
    ] {
        let wrong = send(visit, body).problem(422, "invalid-request").await;
        assert_eq!(wrong["pointer"], pointer, "{body}: {wrong}");
    }
    let missing = send(visit, "{}").problem(422, "invalid-request").await;
    assert!(text(&missing["detail"]).contains("message"), "{missing}");
    for empty in [r#"{"message": ""}"#, r#"{"message": "  "}"#, r#"{"message": []}"#] {
        send(visit, empty).problem(422, "invalid-message").await;
    }
    Ok(())
}

pub(crate) async fn a_message_over_the_assistants_limit_is_refused_with_the_limit(visit: &Visit) -> Verdict {
    let body = json!({ "message": "x".repeat(200_000) });
    let said = visit.post(NEW, &body).problem(422, "invalid-message").await;
    assert!(text(&said["detail"]).contains("characters"), "{said}");
    Ok(())
}

pub(crate) async fn a_body_over_a_megabyte_is_refused(visit: &Visit) -> Verdict {
    // It is refused for its announced length: nothing of it is ever sent.
    let never = reqwest::Body::wrap_stream(futures::stream::pending::<std::io::Result<Vec<u8>>>());
    let request = visit.request("POST", NEW).header("content-length", "2000000");
    request
        .body("application/json", never)
        .problem(413, "body-too-large")
        .await;
    visit.get("/v1/assistants").ok().await;
    Ok(())
}

pub(crate) async fn a_body_that_is_not_json_is_refused(visit: &Visit) -> Verdict {
    for (path, media_type) in [(NEW, "text/plain"), (NEW, "application/x-www-form-urlencoded")] {
        visit
            .request("POST", path)
            .body(media_type, "hi")
            .problem(415, "unsupported-media-type")
            .await;
    }
    let answer = visit
        .request("POST", "/api/tasks")
        .body("text/plain", "hi")
        .send()
        .await;
    assert_eq!(
        answer.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "{}",
        answer.text
    );
    Ok(())
}

pub(crate) async fn every_answer_names_its_request(visit: &Visit) -> Verdict {
    let id = visit.own("request").replace(' ', "-");
    for (path, status) in [("/v1/assistants", 200), ("/v1/nothing", 404), ("/api/tasks", 200)] {
        let answer = visit.get(path).header("x-request-id", &id).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-request-id")),
            (status, id.as_str()),
            "{path}"
        );
    }
    let problem = visit
        .get("/v1/nothing")
        .header("x-request-id", &id)
        .problem(404, "not-found")
        .await;
    assert_eq!(problem["request_id"], id.as_str(), "{problem}");
    let made = visit.get("/v1/assistants").send().await;
    assert!(!made.header("x-request-id").is_empty());
    Ok(())
}
