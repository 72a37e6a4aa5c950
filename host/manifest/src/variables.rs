//! Application variables: what the manifest declares, and where the values come from.
//!
//! In falling order: `--variable`, the environment's `SPIN_VARIABLE_<NAME>`, the host's shorter names for the
//! environment ([`crate::aliases`]), the manifest's default. A variable without any of them is a finding. Secret values
//! are never printed: not by `Debug`, not by `Display`, not in findings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::aliases;
use crate::finding::{Finding, Findings, Place};
use crate::names::VariableName;
use crate::reader::suggest;
use crate::template::Template;

/// What Spin puts before the name of a variable in the environment.
const SPIN_PREFIX: &str = "SPIN_VARIABLE_";

/// What the manifest says about an application variable.
#[derive(Clone)]
pub struct Declaration {
    pub(crate) default: Option<String>,
    pub(crate) secret: bool,
    pub(crate) description: Option<String>,
    pub(crate) place: Place,
}

impl Declaration {
    /// The value when nobody gives one. `None`: somebody has to.
    pub fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Whether the value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// What it is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }
}

impl fmt::Debug for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = self.default.as_deref().map(|text| shown(text, self.secret));
        f.debug_struct("Declaration")
            .field("default", &default)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The manifest.
    Default,
    /// The environment variable of this name.
    Environment(String),
    /// `--variable`.
    Flag,
    /// A file given by `--variable`.
    File(PathBuf),
    /// The host chose it, or derived it from another one.
    Host,
}

impl Origin {
    /// The place that a finding about the value names.
    pub fn place(&self, declaration: Option<&Declaration>) -> Place {
        match self {
            Self::Environment(_) => Place::Environment,
            Self::Flag => Place::CommandLine,
            Self::File(path) => Place::file(path),
            Self::Default | Self::Host => declaration.map_or(Place::Environment, |d| d.place.clone()),
        }
    }
}

/// A value that does not show itself when it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    text: String,
    secret: bool,
    origin: Origin,
}

impl Value {
    /// The text itself, also of a secret.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether it must not be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

fn shown(text: &str, secret: bool) -> &str {
    if secret && !text.is_empty() {
        "(secret)"
    } else {
        text
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", shown(&self.text, self.secret))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(shown(&self.text, self.secret))
    }
}

/// Values that were given from outside, not yet matched with what the manifest declares.
#[derive(Default)]
pub struct Inputs {
    given: BTreeMap<String, (Rank, String, Origin)>,
    findings: Findings,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Alias,
    Environment,
    Flag,
}

impl Inputs {
    /// The environment of this process. A variable that matters and is not UTF-8 is reported by
    /// [`crate::Application::values`]; others may be what they like.
    pub fn from_process() -> Self {
        Self::from_os(std::env::vars_os())
    }

    fn from_os(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut broken = Vec::new();
        let readable = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            match value.into_string() {
                Ok(value) => Some((name, value)),
                Err(_) => {
                    broken.push(name);
                    None
                }
            }
        });
        let mut inputs = Self::from_environment(readable.collect::<Vec<_>>());
        for name in broken {
            if name.starts_with(SPIN_PREFIX) || aliases::variable_for(&name).is_some() {
                inputs
                    .findings
                    .push(Finding::error(Place::Environment, name, "is not UTF-8"));
            }
        }
        inputs
    }

    /// The environment that values may come from, as text.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut inputs = Self::default();
        // In the order of the names, so that the same environment always gives the same values.
        for (name, value) in variables.into_iter().collect::<BTreeMap<_, _>>() {
            let origin = Origin::Environment(name.clone());
            if let Some(variable) = name.strip_prefix(SPIN_PREFIX) {
                inputs.give(variable.to_ascii_lowercase(), Rank::Environment, value, origin);
            } else if let Some(variable) = aliases::variable_for(&name).filter(|_| !value.is_empty()) {
                // `NAME=` in a compose file means that it is not set.
                inputs.give(variable, Rank::Alias, value, origin);
            }
        }
        inputs
    }

    /// Takes the argument of `--variable`: `name=value`, `name=@file` (the file's content), `@file.json` or `@file.toml`
    /// (a table of texts). What is wrong with it is reported by [`crate::Application::values`].
    pub fn flag(&mut self, argument: &str) {
        if let Err(finding) = self.try_flag(argument) {
            self.findings.push(finding);
        }
    }

    fn try_flag(&mut self, argument: &str) -> Result<(), Finding> {
        if let Some(file) = argument.strip_prefix('@') {
            let path = Path::new(file);
            let place = || Place::file(path);
            let text =
                std::fs::read_to_string(path).map_err(|error| crate::finding::unreadable(path, &error))?;
            let table: BTreeMap<String, String> =
                match path.extension().and_then(|extension| extension.to_str()) {
                    Some("json") => serde_json::from_str(&text).map_err(|error| {
                        Finding::error(place(), "", format!("not a JSON object of strings: {error}"))
                    })?,
                    Some("toml") => toml::from_str(&text).map_err(|error| {
                        Finding::error(
                            place(),
                            "",
                            format!("not a TOML table of strings: {}", error.message()),
                        )
                    })?,
                    _ => {
                        return Err(Finding::error(
                            Place::CommandLine,
                            "--variable",
                            format!("`{file}` is of no known kind"),
                        )
                        .advise("variable files end in .json or .toml"));
                    }
                };
            for (name, value) in table {
                self.give(name, Rank::Flag, value, Origin::File(path.to_owned()));
            }
            return Ok(());
        }
        let Some((name, value)) = argument.split_once('=') else {
            // The argument may be a secret whose name was forgotten, so it is not repeated here.
            return Err(Finding::error(Place::CommandLine, "--variable", "has no `=`")
                .advise("write name=value, name=@file, @file.json or @file.toml"));
        };
        match value.strip_prefix('@') {
            None => self.give(name.to_owned(), Rank::Flag, value.to_owned(), Origin::Flag),
            Some(file) => {
                let path = Path::new(file);
                let text = std::fs::read_to_string(path)
                    .map_err(|error| crate::finding::unreadable(path, &error))?;
                self.give(name.to_owned(), Rank::Flag, text, Origin::File(path.to_owned()));
            }
        }
        Ok(())
    }

    fn give(&mut self, name: String, rank: Rank, value: String, origin: Origin) {
        match self.given.get(&name) {
            Some((known, _, _)) if *known > rank => {}
            // Of two aliases for one variable the one that is spelled like the variable wins.
            Some((Rank::Alias, _, Origin::Environment(own)))
                if rank == Rank::Alias && own.eq_ignore_ascii_case(&name) => {}
            _ => {
                self.given.insert(name, (rank, value, origin));
            }
        }
    }
}

/// Never shows a value: which of them are secret is only known with the manifest.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("names", &self.given.keys())
            .finish_non_exhaustive()
    }
}

/// A value for every variable that the manifest declares.
#[derive(Clone, Debug)]
pub struct Values(BTreeMap<VariableName, Value>);

impl Values {
    /// Matches declarations and inputs. Returns warnings beside the values.
    ///
    /// # Errors
    /// Every variable that has no value, and every input that fits none.
    pub(crate) fn resolve(
        declared: &BTreeMap<VariableName, Declaration>,
        inputs: &Inputs,
    ) -> Result<(Self, Findings), Findings> {
        let mut findings = inputs.findings.clone();
        let known: Vec<&str> = declared.keys().map(VariableName::as_str).collect();
        for (name, (rank, _, origin)) in &inputs.given {
            if declared.contains_key(name.as_str()) || *rank == Rank::Alias {
                continue;
            }
            let reason = format!("the application has no variable `{name}`");
            let finding = match (rank, origin) {
                (Rank::Flag, _) => Finding::error(origin.place(None), "--variable", reason),
                (_, Origin::Environment(variable)) => Finding::warning(Place::Environment, variable, reason),
                _ => Finding::warning(Place::Environment, name, reason),
            };
            findings.push(finding.advise(suggest(name, &known)));
        }
        let mut values = BTreeMap::new();
        for (name, declaration) in declared {
            let secret = declaration.secret;
            let value = match (inputs.given.get(name.as_str()), &declaration.default) {
                (Some((_, text, origin)), _) => Value {
                    text: text.clone(),
                    secret,
                    origin: origin.clone(),
                },
                (None, Some(default)) => Value {
                    text: default.clone(),
                    secret,
                    origin: Origin::Default,
                },
                (None, None) => {
                    let upper = name.as_str().to_ascii_uppercase();
                    findings.push(
                        Finding::error(
                            declaration.place.clone(),
                            format!("variables.{name}"),
                            "required, and has no value",
                        )
                        .advise(format!("set SPIN_VARIABLE_{upper} or give --variable {name}=…")),
                    );
                    continue;
                }
            };
            values.insert(name.clone(), value);
        }
        let mut values = Self(values);
        aliases::derive(&mut values);
        findings.into_result(values)
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The text of a variable; empty when the application does not have it.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).map_or("", Value::expose)
    }

    /// Lets the host choose a value. Whether the application has such a variable.
    pub fn set(&mut self, name: &str, text: impl Into<String>) -> bool {
        let Some(value) = self.0.get_mut(name) else {
            return false;
        };
        value.text = text.into();
        value.origin = Origin::Host;
        true
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&VariableName, &Value)> {
        self.0.iter()
    }

    /// Fills in a template. It is secret when one of its variables is.
    ///
    /// # Errors
    /// The first variable that the application does not have.
    pub(crate) fn render<'t>(&self, template: &'t Template) -> Result<Value, &'t VariableName> {
        let text = template.render(|name| self.get(name.as_str()).map(Value::expose))?;
        let mut used = template.variables().filter_map(|name| self.get(name.as_str()));
        Ok(Value {
            text,
            secret: used.any(Value::is_secret),
            origin: Origin::Host,
        })
    }
}

#[cfg(test)]
mod tests;
