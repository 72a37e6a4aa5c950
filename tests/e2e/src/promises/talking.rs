//! A to-do list by talking.

use serde_json::{Value, json};

use crate::Verdict;
use crate::visit::{Visit, said, text};

pub(crate) async fn a_todo_list_is_managed_by_talking_and_seen_through_rest(visit: &Visit) -> Verdict {
    let (milk, plumber) = (visit.own("buy milk"), visit.own("call the plumber"));
    let (session, added) = visit.begin("tasks", &format!("add {milk} for tomorrow")).await;
    assert!(said(&added).contains(&milk), "{added}");
    assert_eq!(added["tool_calls"][0]["tool"], "add_task", "{added}");
    visit
        .say(&session, &format!("add {plumber} for next Friday"))
        .await;
    let mut titles: Vec<String> = visit
        .tasks("")
        .await
        .iter()
        .map(|task| text(&task["title"]))
        .collect();
    titles.sort();
    assert_eq!(titles, [milk.as_str(), plumber.as_str()]);

    let due = visit.say(&session, "what is due tomorrow?").await;
    assert!(
        said(&due).contains(&milk) && !said(&due).contains(&plumber),
        "{due}"
    );
    let done = visit.say(&session, &format!("done with {milk}")).await;
    assert!(said(&done).contains(&milk), "{done}");
    let [open, done] = [
        visit.tasks("&status=open").await,
        visit.tasks("&status=done").await,
    ];
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((done.len(), &done[0]["title"]), (1, &json!(milk)), "{done:?}");
    Ok(())
}

pub(crate) async fn a_task_made_through_rest_is_known_in_the_conversation(visit: &Visit) -> Verdict {
    let plants = visit.own("water the plants");
    visit.task(&plants).await;
    let (_, answer) = visit.begin("tasks", "what is on my list?").await;
    assert!(said(&answer).contains(&plants), "{answer}");
    Ok(())
}

pub(crate) async fn assistants_and_models_are_listed(visit: &Visit) -> Verdict {
    let assistants = visit.get("/v1/assistants").ok().await;
    let names: Vec<&Value> = list(&assistants)
        .iter()
        .map(|assistant| &assistant["name"])
        .collect();
    for name in ["chat", "tasks"] {
        assert!(names.contains(&&json!(name)), "{name} is among {assistants}");
    }
    let models = visit.get("/v1/models").ok().await;
    let ids: Vec<&Value> = list(&models).iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ids, "a model of the OpenAI dialect is an assistant");
    let one = visit.get("/v1/models/tasks").ok().await;
    assert_eq!(
        (&one["id"], &one["object"]),
        (&json!("tasks"), &json!("model")),
        "{one}"
    );
    Ok(())
}

fn list(page: &Value) -> &[Value] {
    page["data"].as_array().map(Vec::as_slice).unwrap_or_default()
}
