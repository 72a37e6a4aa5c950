//! The REST API of `tasks`, which `chat` passes on.

use http::StatusCode;
use serde_json::json;

use crate::Verdict;
use crate::visit::{Visit, text};

pub(crate) async fn a_task_through_rest_is_made_read_changed_completed_and_deleted(visit: &Visit) -> Verdict {
    let title = visit.own("pay rent");
    let body = json!({ "title": title, "priority": "high", "tags": ["home"], "due": "2031-01-31" });
    let made = visit.post("/api/tasks", &body).send().await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/api/tasks/{}", text(&made.json()["id"]));
    let read = visit.get(&path).ok().await;
    assert_eq!(
        (&read["title"], &read["priority"], &read["tags"], &read["due"]),
        (&body["title"], &body["priority"], &body["tags"], &body["due"]),
        "{read}"
    );
    let changed = visit
        .request("PATCH", &path)
        .json(&json!({ "priority": "low" }))
        .ok()
        .await;
    assert_eq!(
        (&changed["priority"], &changed["title"]),
        (&json!("low"), &body["title"]),
        "{changed}"
    );
    for (action, status) in [("complete", "done"), ("reopen", "open")] {
        let task = visit.request("POST", &format!("{path}/{action}")).ok().await;
        assert_eq!(task["status"], status, "{task}");
    }
    assert_eq!(
        visit.request("DELETE", &path).send().await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(visit.get(&path).send().await.status, StatusCode::NOT_FOUND);
    let restored = visit.request("POST", &format!("{path}/restore")).ok().await;
    assert_eq!(restored["title"], body["title"], "{restored}");
    assert_eq!(visit.get(&path).send().await.status, StatusCode::OK);
    Ok(())
}

pub(crate) async fn a_change_on_an_old_version_is_refused(visit: &Visit) -> Verdict {
    let path = format!("/api/tasks/{}", visit.task(&visit.own("pay rent")).await);
    let old = visit.get(&path).send().await.header("etag").to_owned();
    assert!(!old.is_empty());
    let unchanged = visit.get(&path).header("if-none-match", &old).send().await.status;
    assert_eq!(unchanged, StatusCode::NOT_MODIFIED);
    let change = |etag: &str| {
        let body = json!({ "priority": "low" });
        visit
            .request("PATCH", &path)
            .header("if-match", etag)
            .json(&body)
            .send()
    };
    assert_eq!(change(&old).await.status, StatusCode::OK);
    assert_eq!(change(&old).await.status, StatusCode::PRECONDITION_FAILED);
    Ok(())
}

pub(crate) async fn a_change_under_the_same_key_takes_effect_once(visit: &Visit) -> Verdict {
    let body = json!({ "title": visit.own("buy milk") });
    let key = visit.own("key").replace(' ', "-");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let task = visit
            .post("/api/tasks", &body)
            .header("idempotency-key", &key)
            .ok()
            .await;
        ids.push(text(&task["id"]));
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(visit.tasks("").await.len(), 1);
    Ok(())
}

pub(crate) async fn a_list_of_tasks_is_filtered_and_paged(visit: &Visit) -> Verdict {
    for number in 0..5 {
        let priority = if number == 2 { "high" } else { "normal" };
        let body = json!({ "title": visit.own(&format!("thing {number}")), "priority": priority });
        visit.post("/api/tasks", &body).ok().await;
    }
    assert_eq!(visit.tasks("&priority=high").await.len(), 1);
    let mut titles = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = visit
            .get(&format!("/api/tasks?q={}&limit=2{cursor}", visit.mark()))
            .ok()
            .await;
        let tasks = page["tasks"].as_array().cloned().unwrap_or_default();
        assert!((1..=2).contains(&tasks.len()), "{page}");
        titles.extend(tasks.iter().map(|task| text(&task["title"])));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    titles.sort();
    let expected: Vec<String> = (0..5)
        .map(|number| visit.own(&format!("thing {number}")))
        .collect();
    assert_eq!(titles, expected, "every task once");
    Ok(())
}

pub(crate) async fn a_wrong_task_is_told_by_field(visit: &Visit) -> Verdict {
    for (body, field) in [
        (json!({ "title": "" }), "title"),
        (json!({ "title": "x", "priority": "soon" }), "priority"),
        (json!({ "title": "x", "due": "someday" }), "due"),
        (json!({ "title": "x", "titel": "y" }), "titel"),
    ] {
        let (status, problem) = visit.post("/api/tasks", &body).answer().await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    Ok(())
}
