//! The list as a REST API.
//!
//! | request                       | answer                                                              |
//! |-------------------------------|---------------------------------------------------------------------|
//! | `GET /tasks`                  | 200, a page of tasks; filters and paging by the query               |
//! | `POST /tasks`                 | 201, the new task, with `Location`                                  |
//! | `GET /tasks/{id}`             | 200, the task; 304 when `If-None-Match` names its version           |
//! | `PATCH /tasks/{id}`           | 200, the changed task                                               |
//! | `DELETE /tasks/{id}`          | 204                                                                 |
//! | `POST /tasks/{id}/complete`   | 200, the task                                                       |
//! | `POST /tasks/{id}/reopen`     | 200, the task                                                       |
//! | `POST /tasks/{id}/restore`    | 200, the task                                                       |
//! | `GET /openapi.json`           | 200, the description of all this                                    |
//!
//! A task's `ETag` is its version; a change with `If-Match` is made to that version or not at all (412). A change with
//! an `Idempotency-Key` takes effect once, however often it is sent, and gets the same answer each time. Errors are
//! problem details (RFC 9457).

mod body;
mod query;

pub use body::{NewTask, TaskPatch};
pub use query::ListQuery;

use anyturn_state::Store;
use anyturn_tool_sdk::{ApiRequest, Failure, FieldError, Once, OnceError, Problem, Response, Toolbox};
use http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, Target, Trouble, is_id};
use crate::task::{Edit, Task};
use crate::{Tasks, new_id, openapi, timestamp};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A page of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TaskPage {
    /// The tasks: open ones by due day, priority and age; done ones the latest first.
    pub tasks: Vec<Task>,
    /// What `cursor` has to be to get the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a change came to, as it is remembered under its idempotency key.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Outcome {
    status: u16,
    task: Task,
}

/// Where a path leads.
enum Route<'a> {
    OpenApi,
    List,
    One(&'a str),
    Action(&'a str, Edit),
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Route<'a>> {
        if path == "/openapi.json" {
            return Some(Route::OpenApi);
        }
        let rest = path.strip_prefix("/tasks")?;
        if rest.is_empty() || rest == "/" {
            return Some(Route::List);
        }
        let mut parts = rest.strip_prefix('/')?.split('/');
        let id = parts.next().filter(|id| !id.is_empty())?;
        let action = parts.next();
        if parts.next().is_some() {
            return None;
        }
        match action {
            None => Some(Route::One(id)),
            Some("complete") => Some(Route::Action(id, Edit::Complete)),
            Some("reopen") => Some(Route::Action(id, Edit::Reopen)),
            Some("restore") => Some(Route::Action(id, Edit::Restore)),
            Some(_) => None,
        }
    }

    fn allow(&self) -> &'static str {
        match self {
            Route::OpenApi => "GET, HEAD",
            Route::List => "GET, HEAD, POST",
            Route::One(_) => "GET, HEAD, PATCH, DELETE",
            Route::Action(..) => "POST",
        }
    }
}

/// Answers a request.
pub async fn answer<S: Store>(tasks: &Tasks<S>, request: ApiRequest) -> Response {
    let is_head = request.method == Method::HEAD;
    let mut response = match respond(tasks, &request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if is_head {
        *response.body_mut() = Default::default();
    }
    response
}

async fn respond<S: Store>(tasks: &Tasks<S>, request: &ApiRequest) -> Result<Response, Problem> {
    let Some(route) = Route::of(&request.path) else {
        return Err(Problem::no_such_path(&request.path));
    };
    // HEAD is GET without the body.
    let method = if request.method == Method::HEAD {
        &Method::GET
    } else {
        &request.method
    };
    if matches!(route, Route::OpenApi) {
        return match *method {
            Method::GET => Ok(json(StatusCode::OK, openapi::JSON.as_bytes().to_vec())),
            _ => Err(Problem::method_not_allowed(&request.path, route.allow())),
        };
    }
    match (route, method) {
        (Route::List, &Method::GET) => {
            let desk = desk(tasks, request)?;
            let timezone = request.caller.timezone.as_deref();
            let query = query::read(request.query.as_deref(), crate::day::today(desk.now, timezone))?;
            let page = desk
                .list(&query.filter, query.cursor.as_ref(), query.limit)
                .await
                .map_err(problem)?;
            let next_cursor = page.next.map(|cursor| cursor.to_string());
            written(
                StatusCode::OK,
                &TaskPage {
                    tasks: page.tasks,
                    next_cursor,
                },
            )
        }
        (Route::List, &Method::POST) => {
            let desk = desk(tasks, request)?;
            let draft = body::draft(body::read(request)?)?;
            let id = new_id().map_err(failed)?;
            let outcome = desk
                .add(id, draft, |task| Outcome {
                    status: 201,
                    task: task.clone(),
                })
                .await
                .map_err(problem)?;
            one(&outcome)
        }
        (Route::One(id), &Method::GET) => {
            let task = desk(tasks, request)?.get(known(id)?).await.map_err(problem)?;
            if names_version(&request.headers, &IF_NONE_MATCH, task.version) {
                let mut response = Response::default();
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response.headers_mut().insert(ETAG, etag(&task));
                return Ok(response);
            }
            one(&Outcome { status: 200, task })
        }
        (Route::One(id), &Method::PATCH) => {
            let desk = desk(tasks, request)?;
            let patch = body::patch(body::read(request)?)?;
            change(&desk, request, id, &Edit::Patch(patch)).await
        }
        (Route::One(id), &Method::DELETE) => {
            let desk = desk(tasks, request)?;
            no_body(request)?;
            change(&desk, request, id, &Edit::Delete).await
        }
        (Route::Action(id, edit), &Method::POST) => {
            let desk = desk(tasks, request)?;
            no_body(request)?;
            change(&desk, request, id, &edit).await
        }
        (route, _) => Err(Problem::method_not_allowed(&request.path, route.allow())),
    }
}

async fn change<S: Store>(
    desk: &Desk<'_, S>,
    request: &ApiRequest,
    id: &str,
    edit: &Edit,
) -> Result<Response, Problem> {
    let versions = if_match(&request.headers)?;
    let status = if *edit == Edit::Delete { 204 } else { 200 };
    let outcome = desk
        .change(&Target::Id(known(id)?, &versions), edit, |before, after| {
            Outcome {
                status,
                task: after.unwrap_or(before).clone(),
            }
        })
        .await
        .map_err(problem)?;
    one(&outcome)
}

fn desk<'a, S: Store>(tasks: &'a Tasks<S>, request: &ApiRequest) -> Result<Desk<'a, S>, Problem> {
    let key = match request.headers.get(IDEMPOTENCY_KEY) {
        None => None,
        Some(value) => Some(
            value
                .to_str()
                .map_err(|_| bad_header("Idempotency-Key", "must be visible ASCII characters.".into()))?,
        ),
    };
    let parts = [
        request.method.as_str().as_bytes(),
        request.path.as_bytes(),
        &request.body,
    ];
    let once = Once::new(key, Once::fingerprint(parts))
        .map_err(|failure| bad_header("Idempotency-Key", failure.to_string()))?;
    let scope = request.caller.scope().map_err(failed)?;
    Ok(Desk {
        store: &tasks.store,
        scope,
        once,
        now: timestamp(tasks.now()),
    })
}

/// An id that may be one: others need no look into the store.
fn known(id: &str) -> Result<&str, Problem> {
    if is_id(id) {
        Ok(id)
    } else {
        Err(problem(Trouble::NoSuchId(id.chars().take(100).collect())))
    }
}

fn no_body(request: &ApiRequest) -> Result<(), Problem> {
    let is_nothing = matches!(request.body.trim_ascii(), b"" | b"{}");
    if is_nothing {
        Ok(())
    } else {
        Err(Problem::invalid_fields(vec![FieldError::new(
            "body",
            "must be empty.",
        )]))
    }
}

/// A day as programs write it (RFC 3339, `full-date`); what people say is for the tools.
fn date(text: &str) -> Result<Date, String> {
    let plain = text.len() == 10;
    text.parse().ok().filter(|_| plain).ok_or_else(|| {
        let given: String = text.chars().take(60).collect();
        format!("must be a day such as 2026-11-21, not “{given}”.")
    })
}

// ---- versions -----------------------------------------------------------------------------------

fn etag(task: &Task) -> HeaderValue {
    // Digits between quotes are a valid header value.
    HeaderValue::try_from(format!("\"{}\"", task.version)).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The versions that a change may be made to; any, when there are none (RFC 9110, section 13.1.1).
fn if_match(headers: &HeaderMap) -> Result<Vec<u64>, Problem> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(Vec::new());
    }
    let tags = tags(headers, &IF_MATCH);
    if tags.contains(&"*") {
        return Ok(Vec::new());
    }
    let mut versions: Vec<u64> = tags.iter().filter_map(|tag| version(tag)).collect();
    if tags.is_empty() {
        return Err(bad_header(
            "If-Match",
            "must be the ETag of the task, such as \"3\", or *.".into(),
        ));
    }
    if versions.is_empty() {
        // No task has this version: the change is refused with the version that it has.
        versions.push(0);
    }
    Ok(versions)
}

fn names_version(headers: &HeaderMap, name: &HeaderName, wanted: u64) -> bool {
    tags(headers, name)
        .into_iter()
        .any(|tag| tag == "*" || version(tag.strip_prefix("W/").unwrap_or(tag)) == Some(wanted))
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .collect()
}

fn version(tag: &str) -> Option<u64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

// ---- answers ------------------------------------------------------------------------------------

fn one(Outcome { status, task }: &Outcome) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::OK);
    if status == StatusCode::NO_CONTENT {
        let mut response = Response::default();
        *response.status_mut() = status;
        return Ok(response);
    }
    let mut response = written(status, task)?;
    response.headers_mut().insert(ETAG, etag(task));
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::try_from(format!("tasks/{}", task.id))
    {
        // Relative, since only whoever stands in front knows the whole path.
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn written(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| failed(Failure::Broken(error.to_string())))?;
    Ok(json(status, body))
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn bad_header(name: &str, message: String) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-header",
        "Bad header",
        format!("{name}: {message}"),
    )
}

fn problem(trouble: Trouble) -> Problem {
    let text = trouble.to_string();
    match trouble {
        Trouble::NoSuchId(_) => Problem::new(StatusCode::NOT_FOUND, "no-such-task", "No such task", text),
        Trouble::OtherVersion { .. } => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "other-version",
            "The task was changed",
            text,
        ),
        Trouble::Invalid(errors) => Problem::invalid_fields(errors),
        Trouble::Full => Problem::new(StatusCode::CONFLICT, "too-many-tasks", "Too many tasks", text),
        Trouble::Once(error @ (OnceError::TooLate { .. } | OnceError::State(_))) => failed(error.into()),
        Trouble::Once(OnceError::KeyReused) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Problem::new(status, "idempotency-key-reused", "Idempotency key reused", text)
        }
        Trouble::Contended | Trouble::Unclear(_) => Problem::new(
            StatusCode::CONFLICT,
            "contended",
            "Changed at the same time",
            text,
        ),
        Trouble::State(error) => failed(error.into()),
    }
}

fn failed(failure: Failure) -> Problem {
    let text = failure.to_string();
    match failure {
        Failure::NobodyCalls => Problem::new(StatusCode::UNAUTHORIZED, "nobody", "Nobody calls", text),
        Failure::Rejected(_) => Problem::new(StatusCode::BAD_REQUEST, "rejected", "Request rejected", text),
        Failure::TooLate { .. } => Problem::new(StatusCode::CONFLICT, "too-late", "Too late", text),
        Failure::Broken(_) => Problem::unavailable(text),
    }
}
