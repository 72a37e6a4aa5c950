//! The description of the REST API (OpenAPI 3.1), as a constant that a test holds to the types.
//!
//! Paths are written as the component sees them; whoever passes requests on from elsewhere adds its prefix.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use anyturn_tool_sdk::{ProblemDocument, schema};

use crate::rest::{ListQuery, NewTask, TaskPage, TaskPatch};
use crate::task::Task;

/// The description.
pub const JSON: &str = include_str!("../openapi.json");

/// Generates the description from the types.
pub fn generate() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.meta_schema = None;
    settings.definitions_path = "/components/schemas".into();
    let mut types = settings.into_generator();
    let task = types.subschema_for::<Task>().to_value();
    let page = types.subschema_for::<TaskPage>().to_value();
    let new_task = types.subschema_for::<NewTask>().to_value();
    let patch = types.subschema_for::<TaskPatch>().to_value();
    let problem = types.subschema_for::<ProblemDocument<'static>>().to_value();
    let mut inline = SchemaSettings::draft2020_12();
    inline.meta_schema = None;
    inline.inline_subschemas = true;
    let query = parameters::<ListQuery>(inline.into_generator());

    let id = json!({
        "name": "id", "in": "path", "required": true, "description": "The task's id.",
        "schema": {"type": "string", "pattern": "^task_[0-9a-z]{26}$"},
    });
    let key = json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "Requests with the same key take effect once and get the same answer, for a day.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 240},
    });
    let if_match = json!({
        "name": "If-Match", "in": "header",
        "description": "The ETag of the version that is to be changed.",
        "schema": {"type": "string", "example": "\"3\""},
    });
    let etag =
        json!({"ETag": {"description": "The task's version, in quotes.", "schema": {"type": "string"}}});
    let one = |description: &str| {
        json!({
            "description": description,
            "headers": etag,
            "content": {"application/json": {"schema": task}},
        })
    };
    let body =
        |schema: &Value| json!({"required": true, "content": {"application/json": {"schema": schema}}});
    let failed = |description: &str| json!({"description": description, "content": {"application/problem+json": {"schema": problem}}});
    let operation =
        |id: &str, summary: &str, parameters: Vec<&Value>, success: (&str, Value), failures: &[&str]| {
            let mut responses = Map::new();
            responses.insert(success.0.to_owned(), success.1);
            for failure in failures.iter().chain(&["401", "503"]) {
                let description = match *failure {
                    "400" => "A header or the body's JSON is malformed.",
                    "401" => "Nobody said whose tasks these are.",
                    "404" => "There is no such task.",
                    "409" => "There are too many tasks, or others change the task at the same time.",
                    "412" => "The task has another version.",
                    "413" => "The body is larger than 1 MiB.",
                    "415" => "The body is not said to be JSON.",
                    "422" => "Fields are wrong, or the idempotency key was used for another request.",
                    _ => "The store cannot be reached. Try again.",
                };
                responses.insert((*failure).to_owned(), failed(description));
            }
            json!({
                "operationId": id, "summary": summary, "tags": ["tasks"],
                "parameters": parameters, "responses": responses,
            })
        };
    let with_body = |mut operation: Value, schema: &Value| {
        if let Value::Object(operation) = &mut operation {
            operation.insert("requestBody".into(), body(schema));
        }
        operation
    };
    let action = |id_of_operation: &str, summary: &str| {
        let failures = ["400", "404", "409", "412", "422"];
        json!({"post": operation(id_of_operation, summary, vec![&id, &key, &if_match], ("200", one("The task.")), &failures)})
    };
    let list = operation(
        "listTasks",
        "List tasks",
        query.iter().collect(),
        (
            "200",
            json!({"description": "A page of tasks.", "content": {"application/json": {"schema": page}}}),
        ),
        &["422"],
    );
    let create = with_body(
        operation(
            "createTask",
            "Add a task",
            vec![&key],
            ("201", one("The new task.")),
            &["400", "409", "413", "415", "422"],
        ),
        &new_task,
    );
    let get = operation(
        "getTask",
        "Get a task",
        vec![&id],
        ("200", one("The task.")),
        &["404"],
    );
    let update = with_body(
        operation(
            "updateTask",
            "Change a task",
            vec![&id, &key, &if_match],
            ("200", one("The changed task.")),
            &["400", "404", "409", "412", "413", "415", "422"],
        ),
        &patch,
    );
    let delete = operation(
        "deleteTask",
        "Delete a task; it can be restored for 30 days",
        vec![&id, &key, &if_match],
        ("204", json!({"description": "It is deleted."})),
        &["400", "404", "409", "412", "422"],
    );
    let mut description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tasks",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A to-do list. Everybody sees their own tasks only.",
        },
        "tags": [{"name": "tasks", "description": "The caller's to-do list."}],
        "paths": {
            "/tasks": {"get": list, "post": create},
            "/tasks/{id}": {"get": get, "patch": update, "delete": delete},
            "/tasks/{id}/complete": action("completeTask", "Mark a task as done"),
            "/tasks/{id}/reopen": action("reopenTask", "Put a done task back on the list"),
            "/tasks/{id}/restore": action("restoreTask", "Bring a deleted task back"),
        },
        "components": {"schemas": types.take_definitions(true)},
    });
    schema::flatten_enums(&mut description);
    schema::one_line_descriptions(&mut description);
    description
}

/// Writes the description with one operation or type a line, which is short and still shows what a change changes.
pub fn write(description: &Value) -> String {
    fn level(value: &Value, depth: usize, text: &mut String) {
        let Value::Object(entries) = value else {
            return text.push_str(&value.to_string());
        };
        if depth == 0 || entries.is_empty() {
            return text.push_str(&value.to_string());
        }
        text.push('{');
        for (position, (key, value)) in entries.iter().enumerate() {
            text.push_str(if position == 0 { "\n" } else { ",\n" });
            text.push_str(&Value::from(key.as_str()).to_string());
            text.push(':');
            level(value, depth - 1, text);
        }
        text.push_str("\n}");
    }
    let mut text = String::new();
    level(description, 3, &mut text);
    text.push('\n');
    text
}

/// A query's parameters: the properties of a type.
fn parameters<T: JsonSchema>(generator: SchemaGenerator) -> Vec<Value> {
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema::without_null(&mut schema);
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(name, property)| {
            let mut property = property.clone();
            let mut description = Value::Null;
            if let Value::Object(property) = &mut property {
                description = property.remove("description").unwrap_or_default();
            }
            json!({"name": name, "in": "query", "description": description, "schema": property})
        })
        .collect()
}
