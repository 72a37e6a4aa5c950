//! What is wrong with an input, told so that a person can put it right.
//!
//! A [`Finding`] names where (file and line, environment or command line), which key, why, and what would be right
//! instead. Readers of input collect findings rather than stop at the first, so that one run shows all there is to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Runs, but probably not as meant.
    Warning,
    /// Does not run.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Where an input came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A file, and the line in it (from 1) where that is known.
    File {
        /// The file, as the person named it.
        path: PathBuf,
        /// The line, from 1.
        line: Option<usize>,
    },
    /// The process's environment variables.
    Environment,
    /// The arguments of the command.
    CommandLine,
}

impl Place {
    /// A whole file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File {
            path: path.into(),
            line: None,
        }
    }

    /// A line of a file, counted from 1.
    pub fn line(path: impl Into<PathBuf>, line: usize) -> Self {
        Self::File {
            path: path.into(),
            line: Some(line),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("environment"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// One thing that is wrong, where it stands, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    severity: Severity,
    place: Place,
    key: String,
    reason: String,
    advice: Option<String>,
}

impl Finding {
    /// Something that keeps the application from running.
    pub fn error(place: Place, key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place,
            key: key.into(),
            reason: reason.into(),
            advice: None,
        }
    }

    /// Something that runs, but probably not as meant.
    pub fn warning(place: Place, key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, key, reason)
        }
    }

    /// Says what would be right instead.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The key or the variable that is meant; empty for a finding about a whole file.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What would be right.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

/// Two lines: `error: spin.toml:7: component.chat.surce: unknown key`, then what would be right, indented.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.severity, self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)?;
        if let Some(advice) = &self.advice {
            write!(f, "\n    {advice}")?;
        }
        Ok(())
    }
}

/// Everything that was found, in the order of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Adds those of another reader.
    pub fn extend(&mut self, other: Findings) {
        self.0.extend(other.0);
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many keep the application from running.
    pub fn errors(&self) -> usize {
        self.iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count()
    }

    /// Goes through them.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// `value` when nothing here is an error, else these findings.
    ///
    /// # Errors
    /// When at least one finding is an error.
    pub fn into_result<T>(self, value: T) -> Result<(T, Findings), Findings> {
        if self.errors() == 0 {
            Ok((value, self))
        } else {
            Err(self)
        }
    }

    /// Puts them into the order of files and lines, keeping the order of what stands on one line, and says nothing twice.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by(|a, b| a.place.cmp(&b.place));
        self.0.dedup();
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A file that could not be read, said in the same form as everything else.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Finding {
    Finding::error(Place::file(path), "", format!("cannot be read: {error}"))
}
