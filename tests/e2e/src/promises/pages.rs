//! What a browser gets.

use http::StatusCode;
use serde_json::json;

use crate::Verdict;
use crate::visit::{Answer, Visit};

fn is_guarded(what: &str, answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{what}: {}", answer.text);
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{what}: {policy:?}");
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy:?}");
    assert!(
        !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
        "{what}: {policy:?}"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
}

pub(crate) async fn the_chat_page_lets_nothing_foreign_in(visit: &Visit) -> Verdict {
    let page = visit.get("/").send().await;
    is_guarded("/", &page);
    assert_eq!(page.media_type(), "text/html");
    assert!(page.text.contains("<title>"), "{}", page.text);
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    assert!(visit.get("/no-such-file.js").send().await.status == StatusCode::NOT_FOUND);
    Ok(())
}

pub(crate) async fn every_file_of_the_page_is_served_and_not_sent_twice(visit: &Visit) -> Verdict {
    for page in ["/", "/docs"] {
        let text = visit.get(page).send().await.text;
        let files: Vec<&str> = ["src=\"", "href=\""]
            .iter()
            .flat_map(|attribute| text.split(attribute).skip(1))
            .filter_map(|rest| rest.split('"').next())
            .filter(|file| file.starts_with('/'))
            .collect();
        assert!(files.len() > 1, "{page}: {files:?}");
        for file in files {
            let first = visit.get(file).send().await;
            assert_eq!(first.status, StatusCode::OK, "{file}");
            let tag = first.header("etag");
            assert!(!tag.is_empty(), "{file}");
            let second = visit.get(file).header("if-none-match", tag).send().await;
            assert_eq!(
                (second.status, second.text.as_str()),
                (StatusCode::NOT_MODIFIED, ""),
                "{file}"
            );
        }
    }
    Ok(())
}

pub(crate) async fn the_documentation_and_the_health_page_are_there(visit: &Visit) -> Verdict {
    let docs = visit.get("/docs").send().await;
    assert_eq!((docs.status, docs.media_type()), (StatusCode::OK, "text/html"));
    let health = visit.get("/health").ok().await;
    assert_eq!(
        (&health["status"], &health["store"]["status"]),
        (&json!("ok"), &json!("ok")),
        "{health}"
    );
    Ok(())
}
