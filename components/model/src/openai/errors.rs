//! From a provider's errors to ours.
//!
//! Providers repeat keys and pieces of the conversation in their messages. What people get of them is only
//! what is certainly neither: messages about refused keys are ours, and from the others everything quoted
//! that is not an identifier is left out, and everything that looks like a key.

use serde::Deserialize;

use crate::{
    api::{Error, ErrorKind},
    failure::error,
    port::TransportError,
    settings::Secret,
};

/// An error, and whether the same request may do better.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What to tell.
    pub error: Error,
    /// Whether to try again.
    pub retry: bool,
    /// The field of the request that the provider does not take, if that is what is wrong.
    pub refused: Option<String>,
}

impl Failure {
    /// Trying again would change nothing.
    pub fn permanent(error: Error) -> Self {
        Self {
            error,
            retry: false,
            refused: None,
        }
    }

    /// Trying again may help.
    pub fn transient(error: Error) -> Self {
        Self {
            error,
            retry: true,
            refused: None,
        }
    }
}

/// There was no answer, or no more of it.
pub fn transport(cause: TransportError, host: &str) -> Failure {
    match cause {
        TransportError::Unreachable => Failure::transient(error(
            ErrorKind::Unavailable,
            format!("The model's provider at {host} cannot be reached."),
        )),
        TransportError::Broken => Failure::transient(error(
            ErrorKind::Unavailable,
            format!("The connection to the model's provider at {host} broke."),
        )),
        TransportError::Timeout => Failure::transient(error(
            ErrorKind::Timeout,
            format!("The model's provider at {host} did not answer in time (llm_timeout_ms)."),
        )),
        TransportError::Denied => Failure::permanent(error(
            ErrorKind::Unavailable,
            format!(
                "The component may not connect to {host}: add it to allowed_outbound_hosts in spin.toml."
            ),
        )),
    }
}

/// An answer whose status is not 200.
pub fn status(status: u16, body: &[u8], host: &str, key: Option<&Secret>) -> Failure {
    let told = Told::parse(body);
    let detail = |fallback: &str| match told.as_ref().and_then(|told| told.for_people(key)) {
        Some(message) => format!("The model's provider says: {message}"),
        None => format!("{fallback} (status {status} from {host})."),
    };
    let named = told.as_ref().and_then(Told::kind);
    match (status, named) {
        (401 | 403, None | Some(ErrorKind::Unauthorized | ErrorKind::InvalidRequest)) => {
            Failure::permanent(error(
                ErrorKind::Unauthorized,
                match key {
                    Some(_) => format!("The model's provider at {host} refuses the key (status {status})."),
                    None => format!(
                        "The model's provider at {host} wants a key (status {status}): set llm_api_key."
                    ),
                },
            ))
        }
        (429, _) => {
            // A quota that is used up does not come back in seconds.
            let spent = told.as_ref().is_some_and(|told| told.is("insufficient_quota"));
            Failure {
                error: error(
                    ErrorKind::RateLimited,
                    detail("The model's provider limits how often it may be asked"),
                ),
                retry: !spent,
                refused: None,
            }
        }
        (_, Some(kind)) if status < 500 => Failure {
            refused: told
                .as_ref()
                .and_then(|told| told.param.clone())
                .filter(|_| kind == ErrorKind::InvalidRequest),
            ..Failure::permanent(error(kind, detail("The model's provider refuses the request")))
        },
        (404, None) => Failure::permanent(error(
            ErrorKind::UnknownModel,
            format!(
                "There is no such model or address at {host} (status 404): check llm_model and llm_base_url."
            ),
        )),
        (408, _) => Failure::transient(error(
            ErrorKind::Timeout,
            detail("The model's provider gave up waiting"),
        )),
        (413, _) => Failure::permanent(error(
            ErrorKind::ContextTooLong,
            detail("The conversation is too long for the model's provider"),
        )),
        (409 | 425, _) | (500.., _) => Failure::transient(error(
            ErrorKind::Unavailable,
            detail("The model's provider fails"),
        )),
        (300..=399, _) => Failure::permanent(error(
            ErrorKind::Protocol,
            format!("{host} answers with a redirection (status {status}): check llm_base_url."),
        )),
        (400..=499, _) => Failure {
            refused: told.as_ref().and_then(|told| told.param.clone()),
            ..Failure::permanent(error(
                ErrorKind::InvalidRequest,
                detail("The model's provider refuses the request"),
            ))
        },
        _ => Failure::permanent(error(
            ErrorKind::Protocol,
            format!("{host} answers with status {status}, which is not the protocol: check llm_base_url."),
        )),
    }
}

/// An error inside of a stream, or a JSON body with status 200 that is an error.
pub fn in_stream(data: &str, key: Option<&Secret>) -> Error {
    let told = Told::parse(data.as_bytes()).unwrap_or_default();
    let kind = told.kind().unwrap_or(ErrorKind::Unavailable);
    let message = match told.for_people(key).filter(|_| kind != ErrorKind::Unauthorized) {
        Some(message) => format!("The model's provider says: {message}"),
        None => "The model's provider failed while it answered.".into(),
    };
    error(kind, message)
}

/// What a provider told about an error.
#[derive(Debug, Default)]
struct Told {
    message: Option<String>,
    /// Its code, its type, its status: whatever it names the error by.
    names: Vec<String>,
    /// The field of the request that it is about.
    param: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Envelope {
    /// OpenAI, Azure, Groq, vLLM and most others.
    Object { error: Body },
    /// Gemini's compatible endpoint.
    List(Vec<EnvelopeItem>),
    /// Servers that forget the envelope.
    Bare(Detail),
}

#[derive(Deserialize)]
struct EnvelopeItem {
    error: Body,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Detail(Detail),
    /// Ollama's own endpoints.
    Text(String),
}

#[derive(Deserialize)]
struct Detail {
    message: String,
    r#type: Option<Name>,
    code: Option<Name>,
    status: Option<Name>,
    param: Option<Name>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Other(serde::de::IgnoredAny),
}

impl Told {
    fn parse(body: &[u8]) -> Option<Self> {
        let body = match anyturn_json::from_slice(body).ok()? {
            Envelope::Object { error } => error,
            Envelope::List(items) => items.into_iter().next()?.error,
            Envelope::Bare(detail) => Body::Detail(detail),
        };
        Some(match body {
            Body::Text(message) => Self {
                message: Some(message),
                ..Self::default()
            },
            Body::Detail(detail) => Self {
                message: Some(detail.message),
                names: [detail.code, detail.r#type, detail.status]
                    .into_iter()
                    .filter_map(|name| match name {
                        Some(Name::Text(name)) => Some(name.to_ascii_lowercase()),
                        Some(Name::Other(_)) | None => None,
                    })
                    .collect(),
                param: match detail.param {
                    Some(Name::Text(param)) => Some(param),
                    Some(Name::Other(_)) | None => None,
                },
            },
        })
    }

    fn is(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    /// The kind, where the provider names it; a status says less.
    fn kind(&self) -> Option<ErrorKind> {
        let known = self.names.iter().find_map(|name| {
            Some(match name.as_str() {
                "context_length_exceeded" | "string_above_max_length" | "request_too_large" => {
                    ErrorKind::ContextTooLong
                }
                "content_filter" | "content_policy_violation" | "responsibleaipolicyviolation" => {
                    ErrorKind::ContentRefused
                }
                "model_not_found" | "deploymentnotfound" | "unknown_model" => ErrorKind::UnknownModel,
                "invalid_api_key" | "authentication_error" | "permission_denied" | "unauthenticated" => {
                    ErrorKind::Unauthorized
                }
                "rate_limit_exceeded" | "insufficient_quota" | "resource_exhausted" | "rate_limit_error" => {
                    ErrorKind::RateLimited
                }
                "server_error" | "internal" | "unavailable" | "overloaded_error" => ErrorKind::Unavailable,
                _ => return None,
            })
        });
        // vLLM, Ollama and others say it in words only.
        let message = self.message.as_deref().unwrap_or("");
        known
            .or_else(|| {
                message
                    .contains("maximum context length")
                    .then_some(ErrorKind::ContextTooLong)
            })
            .or_else(|| {
                let model = message.contains("model") && message.contains("not found");
                (model || message.contains("does not exist")).then_some(ErrorKind::UnknownModel)
            })
            .or_else(|| {
                // Gemini says so in words, and calls it an invalid argument.
                message
                    .contains("API key not valid")
                    .then_some(ErrorKind::Unauthorized)
            })
            .or_else(|| {
                self.is("invalid_request_error")
                    .then_some(ErrorKind::InvalidRequest)
            })
    }

    fn for_people(&self, key: Option<&Secret>) -> Option<String> {
        let message = self.message.as_deref()?;
        if key.is_some_and(|key| message.contains(key.expose())) {
            return None;
        }
        Some(without_content(message)).filter(|message| !message.is_empty())
    }
}

/// A provider's message without what it quotes. Identifiers in quotes stay (`'messages[0].role'`): they are
/// what makes a message useful, and are the names of the protocol far more often than somebody's words.
fn without_content(message: &str) -> String {
    const MAX: usize = 300;
    let mut kept = String::with_capacity(message.len().min(MAX));
    let mut rest = message.trim();
    while let Some(at) = rest.find(['\'', '"', '`', '“', '{']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        let mut characters = from.chars();
        let Some(open) = characters.next() else { break };
        let inner = characters.as_str();
        // An apostrophe within a word quotes nothing.
        if open == '\'' && before.ends_with(char::is_alphanumeric) {
            kept.push(open);
            rest = inner;
            continue;
        }
        // Braces nest, so nothing after one can be told apart.
        let close = match open {
            '{' => None,
            '“' => inner.find('”'),
            open => inner.rfind(open).and_then(|_| inner.find(open)),
        };
        let Some(end) = close else {
            kept.push('…');
            rest = "";
            break;
        };
        let (quoted, after) = inner.split_at(end);
        let shut = after.chars().next().unwrap_or(open);
        kept.push(open);
        kept.push_str(if is_identifier(quoted) { quoted } else { "…" });
        kept.push(shut);
        rest = after.get(shut.len_utf8()..).unwrap_or("");
    }
    kept.push_str(rest);
    let words: Vec<&str> = kept
        .split_whitespace()
        .map(|word| if looks_like_key(word) { "…" } else { word })
        .collect();
    let mut kept = words.join(" ");
    if let Some((at, _)) = kept.char_indices().nth(MAX) {
        kept.truncate(at);
        kept.push('…');
    }
    kept
}

fn is_identifier(text: &str) -> bool {
    text.len() <= 64
        && !looks_like_key(text)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:[]/$".contains(&byte))
}

fn looks_like_key(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    ["sk-", "gsk_", "AIza", "Bearer"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
        || word.contains("***")
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
