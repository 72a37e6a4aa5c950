//! The dialect of an app that is made for one assistant.

use http::StatusCode;
use serde_json::{Value, json};

use crate::visit::{Visit, text};
use crate::{Credentials, Skipped, Verdict};

const PROCESS: &str = "/api/chat/process";

/// Says something to the app's assistant, if there is one.
async fn begin(visit: &Visit) -> Result<Value, Skipped> {
    let (status, answer) = visit.post(PROCESS, &json!({ "message": "hello" })).answer().await;
    if answer["error"] == "unknown-assistant" {
        return Err(Skipped(
            "the assistant that app_assistant names is not here".to_owned(),
        ));
    }
    assert_eq!(
        (status, &answer["success"]),
        (StatusCode::OK, &json!(true)),
        "{answer}"
    );
    Ok(answer)
}

pub(crate) async fn an_app_talks_reads_its_session_and_forgets_it(visit: &Visit) -> Verdict {
    let answer = begin(visit).await?;
    let session = text(&answer["session_id"]);
    assert!(!text(&answer["message"]).is_empty(), "{answer}");
    assert!(answer["requires_confirmation"].is_boolean(), "{answer}");
    assert!(answer["metadata"]["processing_time"].is_number(), "{answer}");
    let next = json!({ "message": "and now?", "session_id": session });
    let next = visit.post(PROCESS, &next).ok().await;
    assert_eq!(next["session_id"], answer["session_id"], "{next}");

    let path = format!("/api/chat/session/{session}");
    let read = visit.get(&path).ok().await;
    let history = read["conversationHistory"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let roles: Vec<&Value> = history.iter().map(|said| &said["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"], "{read}");
    assert_eq!(
        history.first().map(|said| text(&said["content"])).as_deref(),
        Some("hello")
    );
    let short = visit.get(&format!("/api/session/{session}")).ok().await;
    assert_eq!(short["message_count"], 4, "{short}");
    assert!(text(&short["expires_at"]) > text(&short["created_at"]), "{short}");

    let gone = visit.request("DELETE", &path).ok().await;
    assert_eq!(gone["success"], true, "{gone}");
    for path in [path, format!("/api/session/{session}")] {
        let (status, refused) = visit.get(&path).answer().await;
        assert_eq!(
            (status, &refused["error"]),
            (StatusCode::NOT_FOUND, &json!("unknown-session")),
            "{refused}"
        );
    }
    Ok(())
}

pub(crate) async fn an_app_hears_its_answer_as_events_and_again_from_any_of_them(visit: &Visit) -> Verdict {
    begin(visit).await?;
    let message = json!({ "message": "hello" });
    let events = visit.post(PROCESS, &message).events().await;
    let Some((last, before)) = events.split_last() else {
        panic!("there are events")
    };
    assert_eq!(last.event, "response", "{events:?}");
    assert!(before.iter().all(|event| event.event == "progress"), "{events:?}");
    let path = format!("/api/chat/session/{}/events", text(&last.json()["session_id"]));
    let turn = last.id.split('.').next().unwrap_or_default().to_owned();
    let again = visit.get(&path).header("last-event-id", &format!("{turn}.0.0"));
    let again = again.events().await;
    let data = |event: &anyturn_tests::sse::Event| text(&event.json()["message"]);
    assert_eq!(again.last().map(data), Some(data(last)));
    let nothing = visit.get(&path).header("last-event-id", &last.id).send().await;
    assert_eq!(nothing.status, StatusCode::NO_CONTENT, "{}", nothing.text);
    Ok(())
}

pub(crate) async fn an_app_is_told_what_is_wrong_in_its_own_shape(visit: &Visit) -> Verdict {
    let large = json!({ "message": "x".repeat(1 << 20) });
    let elsewhere = json!({ "message": "hello", "session_id": "ses_00000000000000000000000000" });
    for (request, status, error) in [
        (visit.post(PROCESS, &json!({})), 422, "invalid-request"),
        (visit.post(PROCESS, &large), 413, "body-too-large"),
        (
            visit.request("POST", PROCESS).body("text/plain", "hello"),
            415,
            "unsupported-media-type",
        ),
        (visit.get("/api/chat/session/ses_0"), 404, "unknown-session"),
        (
            visit.request("DELETE", "/api/session/ses_0"),
            404,
            "unknown-session",
        ),
        (visit.get("/api/session/ses_0"), 404, "unknown-session"),
    ] {
        let (answered, refused) = request.answer().await;
        assert_eq!(
            (answered.as_u16(), &refused["error"]),
            (status, &json!(error)),
            "{refused}"
        );
        assert_eq!(refused["success"], false, "{refused}");
        assert!(!text(&refused["message"]).is_empty(), "{refused}");
    }
    let (status, refused) = visit.post(PROCESS, &elsewhere).answer().await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{refused}");
    if visit.site.signs_in() {
        let nobody = visit.get("/api/session/ses_0").by(&Credentials::None);
        let (status, refused) = nobody.answer().await;
        assert_eq!(
            (status, &refused["error"]),
            (StatusCode::UNAUTHORIZED, &json!("unauthorized")),
            "{refused}"
        );
    }
    Ok(())
}
