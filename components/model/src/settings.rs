//! The configured provider, read from the application's variables.
//!
//! `llm_provider` is `auto`, `offline` or one of the [`presets`]. `auto` takes the first that
//! is set up: an address or a key of its own (`llm_base_url`, `llm_api_key`: an OpenAI-compatible
//! provider), then `openai_api_key`, `groq_api_key`, `gemini_api_key`, and else the offline model. Empty
//! and missing variables are the same. No error holds a variable's value if that may be a secret.

use std::{fmt, time::Duration};

use http::Uri;

use crate::{
    api::{Error, ErrorKind},
    failure::error,
    presets::{self, Addressing, Authentication, Preset},
};

/// Who answers.
#[derive(Debug)]
pub enum Provider {
    /// The planner that needs no network.
    Offline,
    /// A provider that speaks OpenAI's Chat Completions.
    OpenAi(Connection),
}

/// How to reach a provider.
#[derive(Debug)]
pub struct Connection {
    /// What is particular about it.
    pub preset: &'static Preset,
    /// Address up to and without the dialect's path, without a slash at its end.
    base: String,
    /// What follows `?` in the address.
    query: Option<String>,
    /// Sent as the preset says; none for providers that need none.
    pub key: Option<Secret>,
    /// Used when a request names no model.
    pub model: String,
    /// How much to reason, if that is set; a word of the provider's.
    pub reasoning_effort: Option<String>,
    /// For the first byte and between chunks, and for all tries together until the answer begins.
    pub timeout: Duration,
}

/// A credential: shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The credential itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What is wrong with the variables, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    kind: ErrorKind,
    message: String,
}

impl SettingsError {
    fn new(kind: ErrorKind, message: String) -> Self {
        Self { kind, message }
    }

    /// The message alone.
    pub fn into_message(self) -> String {
        self.message
    }
}

impl From<SettingsError> for Error {
    fn from(settings: SettingsError) -> Self {
        error(settings.kind, settings.message)
    }
}

impl Provider {
    /// Reads the variables that matter for the chosen provider, and no others.
    pub async fn read<F: Future<Output = String>>(
        variable: impl Fn(&'static str) -> F,
    ) -> Result<Self, SettingsError> {
        let value = async |name| variable(name).await.trim().to_owned();
        let name = value("llm_provider").await.to_ascii_lowercase();
        let preset = match name.as_str() {
            "offline" => return Ok(Self::Offline),
            "" | "auto" => match automatic(&value).await {
                Some(preset) => preset,
                None => return Ok(Self::Offline),
            },
            name => presets::find(name).ok_or_else(|| {
                let names: Vec<&str> = presets::PRESETS.iter().map(|preset| preset.name).collect();
                SettingsError::new(
                    ErrorKind::Unavailable,
                    format!(
                        "llm_provider is “{name}”, which is not a provider. Use auto, offline, {}.",
                        names.join(", ")
                    ),
                )
            })?,
        };
        connection(preset, &value).await.map(Self::OpenAi)
    }
}

async fn automatic(value: &impl AsyncFn(&'static str) -> String) -> Option<&'static Preset> {
    for (variable, preset) in [
        ("llm_base_url", "openai"),
        ("llm_api_key", "openai"),
        ("openai_api_key", "openai"),
        ("groq_api_key", "groq"),
        ("gemini_api_key", "gemini"),
    ] {
        if !value(variable).await.is_empty() {
            return presets::find(preset);
        }
    }
    None
}

async fn connection(
    preset: &'static Preset,
    value: &impl AsyncFn(&'static str) -> String,
) -> Result<Connection, SettingsError> {
    let own_base = value("llm_base_url").await;
    let (base, query) = match (own_base.as_str(), preset.base) {
        ("", Some(base)) => (base.to_owned(), None),
        ("", None) => {
            return Err(SettingsError::new(
                ErrorKind::Unavailable,
                format!(
                    "llm_provider is {}, which has no address of its own: set llm_base_url, for instance to {}",
                    preset.name, preset.base_example
                ),
            ));
        }
        (own, _) => address(own)?,
    };

    let mut key = value("llm_api_key").await;
    if let (true, Some(variable)) = (key.is_empty(), preset.key_variable) {
        key = value(variable).await;
    }
    if key.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
        return Err(SettingsError::new(
            ErrorKind::Unauthorized,
            format!(
                "The API key for {} holds a character that no key has, such as a space.",
                preset.name
            ),
        ));
    }
    // At an address of one's own a key may well be needless.
    if key.is_empty() && own_base.is_empty() && preset.authentication != Authentication::Optional {
        let own = preset
            .key_variable
            .map(|name| format!("{name} or "))
            .unwrap_or_default();
        return Err(SettingsError::new(
            ErrorKind::Unauthorized,
            format!(
                "llm_provider is {}, but there is no key for it: set {own}llm_api_key.",
                preset.name
            ),
        ));
    }

    let own_model = value("llm_model").await;
    let model = match (own_model.as_str(), preset.model) {
        ("", Some(model)) => model.to_owned(),
        ("", None) => {
            return Err(SettingsError::new(
                ErrorKind::UnknownModel,
                format!(
                    "llm_provider is {}, which has no model of its own: set llm_model to {}.",
                    preset.name, preset.model_hint
                ),
            ));
        }
        (own, _) => own.to_owned(),
    };

    let connection = Connection {
        preset,
        base,
        query,
        key: (!key.is_empty()).then_some(Secret(key)),
        model,
        reasoning_effort: effort(&value("llm_reasoning_effort").await)?,
        timeout: timeout(&value("llm_timeout_ms").await)?,
    };
    // So that a bad address is told by `describe` already.
    connection.uri(&connection.model)?;
    Ok(connection)
}

/// Splits an address into what goes before the dialect's path and the query that goes after it.
fn address(own: &str) -> Result<(String, Option<String>), SettingsError> {
    let wrong = |why: &str| {
        SettingsError::new(
            ErrorKind::Unavailable,
            format!("llm_base_url {why}; an example of a right one is https://api.openai.com/v1."),
        )
    };
    let uri: Uri = own.parse().map_err(|_| wrong("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("must begin with https:// or http://"));
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(wrong("holds a user name: credentials belong into llm_api_key"));
    }
    let (base, query) = match own.split_once('?') {
        Some((base, query)) => (base, Some(query.to_owned())),
        None => (own, None),
    };
    let base = base.trim_end_matches('/');
    // Some documentation shows the whole address where others show its base.
    let base = base.strip_suffix("/chat/completions").unwrap_or(base);
    Ok((base.to_owned(), query))
}

fn effort(own: &str) -> Result<Option<String>, SettingsError> {
    const LONGEST: usize = 16;
    match own {
        "" => Ok(None),
        own if own.len() <= LONGEST && own.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            Ok(Some(own.to_owned()))
        }
        own => Err(SettingsError::new(
            ErrorKind::Unavailable,
            format!(
                "llm_reasoning_effort is “{own}”; it must be one word of the provider's, such as none, low, medium or high."
            ),
        )),
    }
}

fn timeout(own: &str) -> Result<Duration, SettingsError> {
    const DEFAULT: u64 = 60_000;
    const MAX: u64 = 3_600_000;
    match own {
        "" => Ok(Duration::from_millis(DEFAULT)),
        own => match own.parse() {
            Ok(milliseconds @ 1..=MAX) => Ok(Duration::from_millis(milliseconds)),
            _ => Err(SettingsError::new(
                ErrorKind::Unavailable,
                format!(
                    "llm_timeout_ms is “{own}”; it must be a whole number of milliseconds from 1 to {MAX}."
                ),
            )),
        },
    }
}

impl Connection {
    /// Where a model's completions are asked for.
    pub fn uri(&self, model: &str) -> Result<Uri, SettingsError> {
        let (path, query) = match self.preset.addressing {
            Addressing::Plain => (String::new(), self.query.clone()),
            Addressing::Azure => azure(&self.base, self.query.as_deref(), model),
        };
        let mut uri = format!("{}{path}/chat/completions", self.base);
        if let Some(query) = query {
            uri.push('?');
            uri.push_str(&query);
        }
        uri.parse().map_err(|_| {
            SettingsError::new(
                ErrorKind::UnknownModel,
                "The name of the model or of the deployment does not fit into an address.".into(),
            )
        })
    }
}

/// Azure has two kinds of addresses: `…/openai/v1`, like everybody's, and one path per deployment with the
/// API's version in the query. A bare host gets the second, with the deployment named like the model.
fn azure(base: &str, query: Option<&str>, model: &str) -> (String, Option<String>) {
    const API_VERSION: &str = "api-version=2024-10-21";
    if base.ends_with("/v1") {
        return (String::new(), query.map(str::to_owned));
    }
    let path = match base {
        base if base.contains("/deployments/") => String::new(),
        base if base.ends_with("/openai") => format!("/deployments/{model}"),
        _ => format!("/openai/deployments/{model}"),
    };
    let query = match query {
        Some(query) if query.contains("api-version=") => query.to_owned(),
        Some(query) => format!("{query}&{API_VERSION}"),
        None => API_VERSION.to_owned(),
    };
    (path, Some(query))
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
