//! The routes, and nothing but the routes.

use http::Method;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/health`.
    Health,
    /// `/openapi.json`.
    OpenApi,
    /// `/docs` and its files.
    Docs(&'a str),
    /// `/v1/assistants`.
    Assistants,
    /// `/v1/assistants/{assistant}/turns`: a turn of a new session.
    NewTurn(&'a str),
    /// `/v1/sessions`.
    Sessions,
    /// `/v1/sessions/{id}`, to read.
    Session(&'a str),
    /// `/v1/sessions/{id}`, to forget.
    DeleteSession(&'a str),
    /// `/v1/sessions/{id}/turns`: a turn of that session.
    NextTurn(&'a str),
    /// `/v1/sessions/{id}/turns/{turn}`: how far it is.
    Turn(&'a str, &'a str),
    /// `/v1/sessions/{id}/turns/{turn}/events`: what happens in it.
    Events(&'a str, &'a str),
    /// `/v1/sessions/{id}/turns/{turn}/stop`.
    Stop(&'a str, &'a str),
    /// `/v1/sessions/{id}/gates/{gate}`: a decision of the session's user.
    Gate(&'a str, &'a str),
    /// `/v1/sessions/{id}/audit`.
    Audit(&'a str),
    /// `/v1/sessions/{id}/undo`.
    Undo(&'a str),
    /// `/v1/sessions/{id}/fork`.
    Fork(&'a str),
    /// `/v1/approvals`: what waits for the caller's roles.
    Approvals,
    /// `/v1/approvals/{approval}`: a decision of somebody else than the session's user.
    Approval(&'a str),
    /// `/v1/chat/completions`.
    Completions,
    /// `/v1/models`.
    Models,
    /// `/v1/models/{id}`.
    Model(&'a str),
    /// `/api/chat/process`: a turn in the words of the app.
    Process,
    /// `/api/chat/session/{id}`, to read.
    AppSession(&'a str),
    /// `/api/chat/session/{id}/events`: what happens in its turn.
    AppEvents(&'a str),
    /// `/api/chat/caller`.
    AppCaller,
    /// `/api/session/{id}`, to read.
    AppSummary(&'a str),
    /// `/api/chat/session/{id}` and `/api/session/{id}`, to forget.
    ForgetAppSession(&'a str),
    /// `/api/auth/…`: signing in, at the path after `/api`.
    Auth(&'a str),
    /// `/api/{tool}/…`: the tool's own HTTP API, at the path after `/api`.
    Tool {
        /// The tool server's name.
        server: &'a str,
        /// Its path, with the slash.
        path: &'a str,
    },
    /// `/internal/tick`: what is to be done from time to time.
    Tick,
}

/// Why a request leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nowhere {
    /// No such path.
    NotFound,
    /// The path knows these methods, as in an `Allow` header.
    Method(&'static str),
}

/// In which words errors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Problem details.
    Native,
    /// OpenAI's error object.
    OpenAi,
    /// The app's.
    App,
}

/// The dialect of a path, also of one that leads nowhere.
#[must_use]
pub fn dialect(path: &str) -> Dialect {
    let openai = [
        "/v1/chat",
        "/v1/models",
        "/v1/completions",
        "/v1/responses",
        "/v1/embeddings",
    ];
    let is_under = |prefix: &&str| {
        path.strip_prefix(*prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if openai.iter().any(is_under) {
        Dialect::OpenAi
    } else if ["/api/chat", "/api/session", "/api/auth"].iter().any(is_under) {
        Dialect::App
    } else {
        Dialect::Native
    }
}

/// Finds the route. `HEAD` leads where `GET` does.
///
/// # Errors
/// When there is none.
pub fn find<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Nowhere> {
    if let Some(rest) = path.strip_prefix("/api/") {
        if let Some(route) = app(method, rest) {
            return route;
        }
        let server = rest.split('/').next().unwrap_or_default();
        return match path.get("/api".len()..) {
            Some(path) if !server.is_empty() => Ok(Route::Tool { server, path }),
            _ => Err(Nowhere::NotFound),
        };
    }
    let mut segments = [""; 6];
    let mut count = 0;
    for segment in path.strip_prefix('/').ok_or(Nowhere::NotFound)?.split('/') {
        *segments.get_mut(count).ok_or(Nowhere::NotFound)? = segment;
        count += 1;
    }
    let get = |route| only(method, &Method::GET, "GET, HEAD", route);
    let post = |route| only(method, &Method::POST, "POST", route);
    match segments.get(..count).unwrap_or_default() {
        ["health"] => get(Route::Health),
        ["openapi.json"] => get(Route::OpenApi),
        ["docs"] => get(Route::Docs("")),
        ["docs", file] => get(Route::Docs(file)),
        ["v1", "assistants"] => get(Route::Assistants),
        ["v1", "assistants", name, "turns"] if !name.is_empty() => post(Route::NewTurn(name)),
        ["v1", "sessions"] => get(Route::Sessions),
        ["v1", "sessions", id] if !id.is_empty() => match *method {
            Method::GET | Method::HEAD => Ok(Route::Session(id)),
            Method::DELETE => Ok(Route::DeleteSession(id)),
            _ => Err(Nowhere::Method("GET, HEAD, DELETE")),
        },
        ["v1", "sessions", id, rest @ ..] if !id.is_empty() => match rest {
            ["turns"] => post(Route::NextTurn(id)),
            ["turns", turn] if !turn.is_empty() => get(Route::Turn(id, turn)),
            ["turns", turn, "events"] if !turn.is_empty() => get(Route::Events(id, turn)),
            ["turns", turn, "stop"] if !turn.is_empty() => post(Route::Stop(id, turn)),
            ["gates", gate] if !gate.is_empty() => post(Route::Gate(id, gate)),
            ["audit"] => get(Route::Audit(id)),
            ["undo"] => post(Route::Undo(id)),
            ["fork"] => post(Route::Fork(id)),
            _ => Err(Nowhere::NotFound),
        },
        ["v1", "approvals"] => get(Route::Approvals),
        ["v1", "approvals", id] if !id.is_empty() => post(Route::Approval(id)),
        ["v1", "chat", "completions"] => post(Route::Completions),
        ["v1", "models"] => get(Route::Models),
        ["v1", "models", id] if !id.is_empty() => get(Route::Model(id)),
        ["internal", "tick"] => post(Route::Tick),
        _ => Err(Nowhere::NotFound),
    }
}

/// The app's routes, below `/api/`; none for those of tools.
fn app<'a>(method: &Method, rest: &'a str) -> Option<Result<Route<'a>, Nowhere>> {
    let (area, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let session = |id: &'a str, read: Route<'a>| match *method {
        _ if id.is_empty() || id.contains('/') => Err(Nowhere::NotFound),
        Method::GET | Method::HEAD => Ok(read),
        Method::DELETE => Ok(Route::ForgetAppSession(id)),
        _ => Err(Nowhere::Method("GET, HEAD, DELETE")),
    };
    let get = |route| only(method, &Method::GET, "GET, HEAD", route);
    Some(match (area, rest) {
        ("chat", "process") => only(method, &Method::POST, "POST", Route::Process),
        ("chat", "caller") => get(Route::AppCaller),
        ("chat", rest) => match rest.strip_prefix("session/") {
            None => Err(Nowhere::NotFound),
            Some(id) => match id.strip_suffix("/events") {
                Some(id) if !id.is_empty() && !id.contains('/') => get(Route::AppEvents(id)),
                _ => session(id, Route::AppSession(id)),
            },
        },
        ("session", id) => session(id, Route::AppSummary(id)),
        ("auth", rest) if !rest.is_empty() => Ok(Route::Auth(rest)),
        ("auth", _) => Err(Nowhere::NotFound),
        _ => return None,
    })
}

fn only<'a>(
    method: &Method,
    wanted: &Method,
    allow: &'static str,
    route: Route<'a>,
) -> Result<Route<'a>, Nowhere> {
    let head = method == Method::HEAD && wanted == Method::GET;
    if method == wanted || head {
        Ok(route)
    } else {
        Err(Nowhere::Method(allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found() {
        for (method, path, route) in [
            (Method::GET, "/health", Route::Health),
            (Method::HEAD, "/health", Route::Health),
            (Method::GET, "/openapi.json", Route::OpenApi),
            (Method::GET, "/docs", Route::Docs("")),
            (Method::GET, "/docs/docs.js", Route::Docs("docs.js")),
            (Method::GET, "/v1/assistants", Route::Assistants),
            (
                Method::POST,
                "/v1/assistants/tasks/turns",
                Route::NewTurn("tasks"),
            ),
            (Method::GET, "/v1/sessions", Route::Sessions),
            (Method::GET, "/v1/sessions/s", Route::Session("s")),
            (Method::DELETE, "/v1/sessions/s", Route::DeleteSession("s")),
            (Method::POST, "/v1/sessions/s/turns", Route::NextTurn("s")),
            (Method::GET, "/v1/sessions/s/turns/t", Route::Turn("s", "t")),
            (
                Method::GET,
                "/v1/sessions/s/turns/t/events",
                Route::Events("s", "t"),
            ),
            (Method::POST, "/v1/sessions/s/turns/t/stop", Route::Stop("s", "t")),
            (Method::POST, "/v1/sessions/s/gates/g", Route::Gate("s", "g")),
            (Method::GET, "/v1/sessions/s/audit", Route::Audit("s")),
            (Method::POST, "/v1/sessions/s/undo", Route::Undo("s")),
            (Method::POST, "/v1/sessions/s/fork", Route::Fork("s")),
            (Method::GET, "/v1/approvals", Route::Approvals),
            (Method::POST, "/v1/approvals/a", Route::Approval("a")),
            (Method::POST, "/internal/tick", Route::Tick),
            (Method::POST, "/v1/chat/completions", Route::Completions),
            (Method::GET, "/v1/models", Route::Models),
            (Method::GET, "/v1/models/tasks", Route::Model("tasks")),
            (Method::POST, "/api/chat/process", Route::Process),
            (Method::GET, "/api/chat/caller", Route::AppCaller),
            (Method::GET, "/api/chat/session/s", Route::AppSession("s")),
            (
                Method::DELETE,
                "/api/chat/session/s",
                Route::ForgetAppSession("s"),
            ),
            (Method::GET, "/api/chat/session/s/events", Route::AppEvents("s")),
            (Method::GET, "/api/session/s", Route::AppSummary("s")),
            (Method::DELETE, "/api/session/s", Route::ForgetAppSession("s")),
            (Method::POST, "/api/auth/google", Route::Auth("google")),
            (
                Method::GET,
                "/api/auth/google/callback",
                Route::Auth("google/callback"),
            ),
            (
                Method::GET,
                "/api/chats",
                Route::Tool {
                    server: "chats",
                    path: "/chats",
                },
            ),
            (
                Method::PATCH,
                "/api/tasks/7",
                Route::Tool {
                    server: "tasks",
                    path: "/tasks/7",
                },
            ),
            (
                Method::GET,
                "/api/tasks",
                Route::Tool {
                    server: "tasks",
                    path: "/tasks",
                },
            ),
        ] {
            assert_eq!(find(&method, path), Ok(route), "{method} {path}");
        }
    }

    #[test]
    fn what_is_no_route_leads_nowhere() {
        for path in [
            "/",
            "",
            "*",
            "/v1",
            "/v1/",
            "/v1/sessions/",
            "/v1/sessions//turns",
            "/v1/sessions/s/turns/",
            "/v1/sessions/s/turns//events",
            "/v1/sessions/s/turns/t/events/1",
            "/v1/sessions/s/gates/",
            "/v1/sessions/s/else",
            "/v1/approvals/",
            "/internal",
            "/api/",
            "/api",
            "/api/chat",
            "/api/chat/",
            "/api/chat/session",
            "/api/chat/session/",
            "/api/chat/session//events",
            "/api/chat/session/s/else",
            "/api/session",
            "/api/session/",
            "/api/session/s/else",
            "/api/auth",
            "/api/auth/",
            "/v1/a/b/c/d/e",
            "/healthy",
        ] {
            assert_eq!(find(&Method::GET, path), Err(Nowhere::NotFound), "{path}");
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        for (method, path, allow) in [
            (Method::POST, "/health", "GET, HEAD"),
            (Method::GET, "/v1/chat/completions", "POST"),
            (Method::GET, "/v1/assistants/tasks/turns", "POST"),
            (Method::PUT, "/v1/sessions/s", "GET, HEAD, DELETE"),
            (Method::POST, "/v1/sessions/s/turns/t/events", "GET, HEAD"),
            (Method::GET, "/v1/sessions/s/undo", "POST"),
            (Method::GET, "/api/chat/process", "POST"),
            (Method::POST, "/api/session/s", "GET, HEAD, DELETE"),
            (Method::DELETE, "/api/chat/session/s/events", "GET, HEAD"),
        ] {
            assert_eq!(
                find(&method, path),
                Err(Nowhere::Method(allow)),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn clients_of_another_dialect_are_told_errors_in_its_words() {
        for path in [
            "/v1/chat/completions",
            "/v1/models",
            "/v1/models/x",
            "/v1/embeddings",
        ] {
            assert_eq!(dialect(path), Dialect::OpenAi, "{path}");
        }
        for path in [
            "/api/chat/process",
            "/api/session/s",
            "/api/auth/google",
            "/api/chat",
        ] {
            assert_eq!(dialect(path), Dialect::App, "{path}");
        }
        for path in ["/v1/sessions", "/v1/modelsx", "/api/tasks", "/api/chats", "/"] {
            assert_eq!(dialect(path), Dialect::Native, "{path}");
        }
    }
}
