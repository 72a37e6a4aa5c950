//! The values of variables: those that the host chooses, and whether all of them make sense.

use std::net::IpAddr;

use anyturn_identity::{Config, ConfigError, Variables};
use anyturn_manifest::{Application, Finding, Findings, Origin, Values, aliases};
use anyturn_model::presets;
use anyturn_model::settings::{Provider, SettingsError};
use url::Url;

pub(crate) mod store;

/// Who everybody is on a machine of one's own.
const LOCAL_USER: &str = "local";

/// Chooses what follows from the circumstances and was not chosen by anybody.
///
/// On a loopback address without any way to identify callers, everybody is the local user. A provider that is known by
/// name may be connected to at its usual address.
pub(crate) fn choose(values: &mut Values, listen: IpAddr) {
    if listen.is_loopback() && !is_identified(values) && values.text("development_user").is_empty() {
        values.set("development_user", LOCAL_USER);
    }
    if values.text("llm_origin").is_empty() {
        let provider = values.text("llm_provider").trim().to_ascii_lowercase();
        let address = presets::find(&provider).and_then(|preset| preset.base);
        if let Some(origin) = address.and_then(aliases::origin_of) {
            values.set("llm_origin", origin);
        }
    }
}

/// Whether there is a way to tell who is calling: a secret for tokens, or API keys.
pub fn is_identified(values: &Values) -> bool {
    ["jwt_secret", "api_keys"]
        .iter()
        .any(|name| !values.text(name).is_empty())
}

pub(crate) fn check(application: &Application, values: &Values, listen: IpAddr) -> Findings {
    let report = Report { application, values };
    let mut findings = Findings::default();
    let mut add = |found: Vec<Finding>| found.into_iter().for_each(|finding| findings.push(finding));
    add(line_breaks(&report));
    add(identity(&report, listen));
    add(google_accounts(&report));
    add(language_model(&report));
    add(store::address(&report));
    add(cors_origins(&report));
    for component in application.triggered() {
        if let Err(errors) = application.settings(component, values) {
            add(errors.into_iter().collect());
        }
    }
    findings
}

/// Makes findings that name a variable as the person knows it.
struct Report<'a> {
    application: &'a Application,
    values: &'a Values,
}

impl Report<'_> {
    fn finding(&self, variable: &str, reason: impl Into<String>) -> Finding {
        let declaration = self.application.variables().get(variable);
        let origin = self
            .values
            .get(variable)
            .map_or(&Origin::Default, |value| value.origin());
        let key = match origin {
            Origin::Environment(name) => name.clone(),
            Origin::Flag => format!("--variable {variable}"),
            Origin::File(_) => variable.to_owned(),
            Origin::Default | Origin::Host => format!("variables.{variable}"),
        };
        Finding::error(origin.place(declaration), key, reason)
    }

    fn has(&self, variable: &str) -> bool {
        self.values.get(variable).is_some()
    }

    fn text(&self, variable: &str) -> &str {
        self.values.text(variable)
    }
}

/// A value from a file often ends in a line break that nobody meant, and a key or secret then never fits.
fn line_breaks(report: &Report<'_>) -> Vec<Finding> {
    let broken = report.values.iter().filter(|(name, value)| {
        let declared_so = *value.origin() == Origin::Default;
        value.expose().ends_with('\n') && !declared_so && name.as_str() != "api_keys"
    });
    broken
        .map(|(name, _)| {
            report
                .finding(name.as_str(), "ends in a line break, which is part of the value")
                .advise("remove it, for instance with `printf %s` instead of `echo`")
        })
        .collect()
}

/// Each variable by itself, so that all that is wrong is told, and then whether they go together.
fn identity(report: &Report<'_>, listen: IpAddr) -> Vec<Finding> {
    let all = Variables {
        jwt_secret: report.text("jwt_secret"),
        jwt_issuer: report.text("jwt_issuer"),
        jwt_audience: report.text("jwt_audience"),
        api_keys: report.text("api_keys"),
        development_user: report.text("development_user"),
        rate_limit_per_minute: report.text("rate_limit_per_minute"),
    };
    let none = Variables::default();
    let parts = [
        Variables {
            jwt_secret: all.jwt_secret,
            ..none
        },
        Variables {
            api_keys: all.api_keys,
            ..none
        },
        Variables {
            development_user: all.development_user,
            ..none
        },
        Variables {
            rate_limit_per_minute: all.rate_limit_per_minute,
            ..none
        },
        all,
    ];
    let mut errors: Vec<ConfigError> = Vec::new();
    for error in parts
        .iter()
        .filter_map(|variables| Config::parse(variables).err())
    {
        if errors.iter().all(|known| known.variable != error.variable) {
            errors.push(error);
        }
    }
    let mut findings: Vec<_> = errors
        .into_iter()
        .map(|error| report.finding(error.variable, error.reason))
        .collect();
    if report.has("development_user") && !listen.is_loopback() && !is_identified(report.values) {
        let reason = format!("strangers can connect to {listen}, and nothing tells who is calling");
        findings.push(report.finding("jwt_secret", reason).advise(
            "set JWT_SECRET (32 bytes or more) or API_KEYS (`anyturn key new` makes one), or listen on 127.0.0.1, where \
             everybody is the local user",
        ));
    }
    findings
}

/// Sign-in with Google and connecting accounts: what is half done.
fn google_accounts(report: &Report<'_>) -> Vec<Finding> {
    if !report.has("google_client_id") {
        return Vec::new();
    }
    let variables = anyturn_accounts::settings::Variables::from(|name| report.text(name).to_owned());
    variables
        .check()
        .into_iter()
        // A secret that is too short is told where tokens are looked at.
        .filter(|error| error.missing || error.variable != "jwt_secret")
        .map(|error| report.finding(error.variable, error.reason))
        .collect()
}

/// The language model that an application is set up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The provider's name, such as `openai`, or `offline`.
    pub provider: &'static str,
    /// The model's name; empty where there is no choice.
    pub name: String,
}

/// The language model that these values choose; none when they are wrong or the application has no such variables.
pub fn model(values: &Values) -> Option<Model> {
    values.get("llm_provider")?;
    Some(match provider(values).ok()? {
        Provider::Offline => Model {
            provider: "offline",
            name: String::new(),
        },
        Provider::OpenAi(connection) => Model {
            provider: connection.preset.name,
            name: connection.model,
        },
    })
}

/// The provider, as the model's component reads the same variables.
fn provider(values: &Values) -> Result<Provider, SettingsError> {
    futures::executor::block_on(Provider::read(|name| {
        std::future::ready(values.text(name).to_owned())
    }))
}

fn language_model(report: &Report<'_>) -> Vec<Finding> {
    if !report.has("llm_provider") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if let Err(error) = provider(report.values) {
        let message = error.into_message();
        findings.push(report.finding(blamed(&message), message));
    } else if report.text("llm_timeout_ms").trim().parse::<u64>().is_err()
        && !report.text("llm_timeout_ms").is_empty()
    {
        // The offline model does not read it, but whoever sets it means something.
        let reason = "is not a whole number of milliseconds";
        findings.push(
            report
                .finding("llm_timeout_ms", reason)
                .advise("write it like 60000"),
        );
    }
    findings
}

/// The variable that a message is about: the first that it names.
fn blamed(message: &str) -> &'static str {
    const NAMES: [&str; 5] = [
        "llm_base_url",
        "llm_timeout_ms",
        "llm_reasoning_effort",
        "llm_model",
        "llm_api_key",
    ];
    let position = |name: &&&str| message.find(**name).unwrap_or(usize::MAX);
    let first = NAMES
        .iter()
        .min_by_key(position)
        .filter(|name| message.contains(**name));
    // A provider without its address, key or model names all of them: there it is the provider that was chosen.
    match first {
        Some(name) if !message.starts_with("llm_provider") => name,
        _ => "llm_provider",
    }
}

/// Origins, separated by commas or blanks; or `*`.
fn cors_origins(report: &Report<'_>) -> Vec<Finding> {
    let text = report.text("cors_origins");
    let origins = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|origin| !origin.is_empty());
    origins
        .filter(|origin| *origin != "*" && !is_origin(origin))
        .map(|origin| {
            report
                .finding("cors_origins", format!("`{origin}` is not an origin"))
                .advise("write scheme://host[:port] without a path, such as https://app.example.com")
        })
        .collect()
}

fn is_origin(text: &str) -> bool {
    let text = text.trim_end_matches('/');
    Url::parse(text).is_ok_and(|url| {
        let origin = url.origin();
        origin.is_tuple() && (origin.ascii_serialization() == text || origin.unicode_serialization() == text)
    })
}

#[cfg(test)]
mod tests;
