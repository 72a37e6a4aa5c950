//! Assistants from the mounted folder: one file each, read when a turn needs it, and parsed once.

use std::cell::RefCell;
use std::rc::Rc;

use anyturn_engine::{Assistant, AssistantError, Assistants, LoadError};

use crate::http::{Kind, Problem};
use crate::platform::Platform;

/// Where the files are mounted.
const FOLDER: &str = "/assistants";
const ENDING: &str = ".toml";

/// The assistants of this application. Clones share what was read.
#[derive(Clone)]
pub struct Files<P> {
    platform: P,
    read: Rc<RefCell<Option<Assistant>>>,
}

impl<P: Platform> Files<P> {
    /// The assistants that a platform has mounted.
    pub fn new(platform: &P) -> Self {
        Self {
            platform: platform.clone(),
            read: Rc::default(),
        }
    }

    /// Reads an assistant.
    ///
    /// # Errors
    /// When there is none with this name, or its file is wrong.
    pub fn read(&self, name: &str) -> Result<Assistant, LoadError> {
        if let Some(assistant) = self
            .read
            .borrow()
            .as_ref()
            .filter(|assistant| assistant.name == name)
        {
            return Ok(assistant.clone());
        }
        let unknown = || LoadError::Unknown(name.to_owned());
        // A name is part of a path here.
        let named_well = !name.is_empty()
            && name.len() <= 64
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if !named_well {
            return Err(unknown());
        }
        let file = format!("{name}{ENDING}");
        let text = self.text(&file)?.ok_or_else(unknown)?;
        let mut assistant = Assistant::parse(&format!("assistants/{file}"), &text)?;
        for (key, prompt) in assistant.prompt_files() {
            let text = self.text(&prompt)?.ok_or_else(|| {
                let problem = format!("the file `{prompt}` is not there, beside the assistant's");
                finding(&file, &key, problem)
            })?;
            assistant.set_prompt(&prompt, &format!("assistants/{prompt}"), &text)?;
        }
        *self.read.borrow_mut() = Some(assistant.clone());
        Ok(assistant)
    }

    /// The names of all assistants, in the order of the alphabet.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, Problem> {
        let files = self.platform.list_files(FOLDER).map_err(|error| {
            Problem::new(
                Kind::Internal,
                format!("The folder of the assistants cannot be read: {error}."),
            )
        })?;
        let mut names: Vec<_> = files
            .iter()
            .filter_map(|file| file.strip_suffix(ENDING))
            .map(ToOwned::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn text(&self, file: &str) -> Result<Option<String>, AssistantError> {
        let bytes = self
            .platform
            .read_file(&format!("{FOLDER}/{file}"))
            .map_err(|error| finding(file, "", format!("cannot be read: {error}")))?;
        bytes
            .map(|bytes| String::from_utf8(bytes).map_err(|_| finding(file, "", "is not UTF-8".to_owned())))
            .transpose()
    }
}

impl<P: Platform> Assistants for Files<P> {
    async fn load(&self, name: &str) -> Result<Assistant, LoadError> {
        self.read(name)
    }
}

fn finding(file: &str, key: &str, problem: String) -> AssistantError {
    AssistantError {
        file: format!("assistants/{file}"),
        findings: vec![anyturn_engine::assistant::Finding {
            line: 1,
            key: key.to_owned(),
            problem,
        }],
    }
}

/// An assistant's file that is wrong: told with file, line and key, because whoever calls is often who wrote it.
#[must_use]
pub fn invalid(error: &AssistantError) -> Problem {
    let findings: Vec<serde_json::Value> = error
        .findings
        .iter()
        .map(|finding| {
            serde_json::json!({"line": finding.line, "key": finding.key, "problem": finding.problem})
        })
        .collect();
    Problem::new(Kind::InvalidAssistant, error.to_string())
        .with("file", error.file.as_str())
        .with("findings", findings)
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unknown(name) => unknown(&name),
            LoadError::Invalid(error) => invalid(&error),
        }
    }
}

/// There is no such assistant.
#[must_use]
pub fn unknown(name: &str) -> Problem {
    Problem::new(
        Kind::UnknownAssistant,
        format!("There is no assistant named `{name}`; GET /v1/assistants lists those that there are."),
    )
}
