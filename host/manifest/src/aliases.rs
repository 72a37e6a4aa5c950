//! Shorter names under which our host takes application variables from the environment, besides Spin's
//! `SPIN_VARIABLE_<NAME>`: the names that people and platforms use already.
//!
//! And what our host works out by itself: under Spin, `allowed_outbound_hosts` must name an origin (scheme, host and
//! port) while a base URL has a path, so the application has a variable for each; here the one follows from the other.

use url::Url;

use crate::variables::{Origin, Values};

/// Environment variables that set the application variable of the same name in lower case.
const SAME_NAME: [&str; 26] = [
    "API_KEYS",
    "APP_ASSISTANT",
    "CORS_ORIGINS",
    "GEMINI_API_KEY",
    "GOOGLE_CLIENT_ID",
    "GOOGLE_CLIENT_SECRET",
    "GOOGLE_HOSTED_DOMAINS",
    "GOOGLE_REDIRECT_URI",
    "GOOGLE_RETURN_URLS",
    "GOOGLE_SIGN_IN_CLIENT_IDS",
    "GROQ_API_KEY",
    "INTERNAL_SECRET",
    "JWT_AUDIENCE",
    "JWT_ISSUER",
    "JWT_SECRET",
    "LLM_API_KEY",
    "LLM_BASE_URL",
    "LLM_MODEL",
    "LLM_PROVIDER",
    "LLM_REASONING_EFFORT",
    "LLM_TIMEOUT_MS",
    "OPENAI_API_KEY",
    "RATE_LIMIT_PER_MINUTE",
    "REDIS_URL",
    "TOKEN_KEYS",
    "TURN_LEASE_MS",
];

/// Environment variables whose application variable has another name.
const OTHER_NAME: [(&str, &str); 1] = [("OPENAI_BASE_URL", "llm_base_url")];

/// URL variables, and the variable that holds the URL's origin.
const ORIGINS: [(&str, &str); 2] = [("llm_base_url", "llm_origin"), ("redis_url", "redis_origin")];

/// The application variable that an environment variable sets.
pub(crate) fn variable_for(environment: &str) -> Option<String> {
    if let Some((_, variable)) = OTHER_NAME.iter().find(|(name, _)| *name == environment) {
        return Some((*variable).to_owned());
    }
    SAME_NAME
        .contains(&environment)
        .then(|| environment.to_ascii_lowercase())
}

/// The environment variables that set an application variable, the preferred one first.
pub fn environment_names(variable: &str) -> Vec<String> {
    let upper = variable.to_ascii_uppercase();
    let mut names = Vec::new();
    if SAME_NAME.contains(&upper.as_str()) {
        names.push(upper.clone());
    }
    names.extend(
        OTHER_NAME
            .iter()
            .filter(|(_, name)| *name == variable)
            .map(|(name, _)| (*name).to_owned()),
    );
    names.push(format!("SPIN_VARIABLE_{upper}"));
    names
}

/// Sets every origin that nobody has given to the origin of its URL.
pub(crate) fn derive(values: &mut Values) {
    for (url, origin) in ORIGINS {
        let given = values
            .get(origin)
            .is_some_and(|value| *value.origin() != Origin::Default);
        if let (false, Some(text)) = (given, origin_of(values.text(url))) {
            values.set(origin, text);
        }
    }
}

/// Scheme, host and port of a URL, as `allowed_outbound_hosts` spells them; nothing for what is no such URL, and for
/// sentinels and clusters, which no component can call.
pub fn origin_of(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let scheme = url.scheme();
    let port = match (url.port_or_known_default(), scheme) {
        (_, "redis-sentinel" | "rediss-sentinel" | "redis-cluster" | "rediss-cluster") => return None,
        (Some(port), _) => port,
        (None, "redis" | "rediss") => 6379,
        (None, _) => return None,
    };
    Some(format!("{scheme}://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, origin) in [
            ("https://api.openai.com/v1", Some("https://api.openai.com:443")),
            ("http://localhost:11434/v1", Some("http://localhost:11434")),
            ("redis://user:secret@cache:6380/2", Some("redis://cache:6380")),
            ("rediss://cache", Some("rediss://cache:6379")),
            ("http://[::1]:8080/", Some("http://[::1]:8080")),
            ("redis-cluster://cache:7000", None),
            ("redis-sentinel://a:26379,b:26379/main", None),
            ("", None),
            ("localhost:11434", None),
            ("/v1", None),
        ] {
            assert_eq!(origin_of(url).as_deref(), origin, "{url}");
        }
    }

    #[test]
    fn an_environment_variable_is_found_from_both_sides() {
        assert_eq!(variable_for("OPENAI_BASE_URL").as_deref(), Some("llm_base_url"));
        assert_eq!(variable_for("REDIS_URL").as_deref(), Some("redis_url"));
        assert_eq!(variable_for("HOME"), None);
        assert_eq!(
            environment_names("llm_base_url"),
            ["LLM_BASE_URL", "OPENAI_BASE_URL", "SPIN_VARIABLE_LLM_BASE_URL"]
        );
        assert_eq!(
            environment_names("development_user"),
            ["SPIN_VARIABLE_DEVELOPMENT_USER"]
        );
    }
}
