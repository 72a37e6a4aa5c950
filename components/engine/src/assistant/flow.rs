//! Assistants of kind `four-prompt`: a model that makes commands of messages, and agents that carry them out.
//!
//! ```toml
//! title = "Inbox"
//! kind = "four-prompt"
//!
//! # Files beside this one. What is left out is in the folder of the assistant's name: inbox/understand.md and so on.
//! [prompts]
//! understand = "inbox/understand.md"    # from a message to commands for agents
//! interpret = "inbox/interpret.md"      # an agent: from a command to calls of tools
//! reassess = "inbox/reassess.md"        # an agent: from what the tools have answered to more calls, or to an answer
//! update = "inbox/update.md"            # from the agents' answers to the reply, and to what is kept in mind
//!
//! [limits]
//! steps = 32                            # model calls in one turn; then agents answer with what they have
//! tool_calls = 32                       # tool calls in one turn
//!
//! [[agents]]
//! name = "email"                        # lower-case letters, digits and `_`; the prefix of its steps
//! title = "E-mail"                      # for people; default: the name
//! description = "Finds, reads and archives e-mails."   # by this the model knows what to ask it for
//! examples = ["find the e-mails from Sarah of this week"]  # commands for it
//! interpret = "inbox/email.md"          # a prompt of its own
//! reassess = "inbox/email-again.md"
//! iterations = 5                        # how often it may reassess: 1 to 10
//! tool_calls = 8                        # its tool calls for one command
//!
//! [[agents.tools]]                      # as in an assistant of kind `agent`
//! server = "email"
//! confirm = ["archive_emails"]
//! ```
//!
//! `[model]`, `[session]`, `[gates]`, `on_busy` and the rest are as in other assistants; `purpose` is that of the
//! prompt instead. Besides `{{date}}` and its like, `understand` and `update` may say `{{agents}}`, which stands for a
//! list of them, and the prompts of agents `{{agent}}` and `{{description}}`, which stand for what the agent is.

use super::reader::{Findings, Table};
use super::schema::{check_beside, tools};
use super::{Prompt, ToolSource};

/// The placeholders of the prompts that are about all agents.
pub(super) const OF_ALL: [&str; 1] = ["agents"];

/// The placeholders of an agent's own prompts.
pub(super) const OF_ONE: [&str; 2] = ["agent", "description"];

/// What steps are called that are no agent's.
const RESERVED: [&str; 5] = ["model", "tool", "undo", "understand", "update"];

/// The most agents.
const MOST: usize = 16;

/// What an assistant of kind `four-prompt` has besides what all have. Its [`super::Assistant::prompt`] is that to
/// understand a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// What the model is told to write the reply.
    pub update: Prompt,
    /// Who carries commands out; at least one.
    pub agents: Vec<SubAgent>,
}

/// Who carries commands out with tools.
#[derive(Clone, Debug, PartialEq)]
pub struct SubAgent {
    /// Unique within its assistant.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it can be asked for.
    pub description: String,
    /// Commands for it.
    pub examples: Vec<String>,
    /// What the model is told to make calls of a command.
    pub interpret: Prompt,
    /// What the model is told to go on by what tools have answered.
    pub reassess: Prompt,
    /// How often it may reassess, for one command.
    pub iterations: u32,
    /// How many tool calls it may make, for one command.
    pub tool_calls: u32,
    /// Where its tools come from.
    pub tools: Vec<ToolSource>,
}

impl Flow {
    /// All prompts but the first, with their keys.
    pub(super) fn prompts(&self) -> impl Iterator<Item = (String, &Prompt)> {
        let own = self.agents.iter().enumerate().flat_map(|(index, agent)| {
            [("interpret", &agent.interpret), ("reassess", &agent.reassess)]
                .map(|(key, prompt)| (format!("agents[{index}].{key}"), prompt))
        });
        std::iter::once(("prompts.update".to_owned(), &self.update)).chain(own)
    }
}

/// Reads what a file of kind `four-prompt` has of its own; and its first prompt.
pub(super) fn read(assistant: &str, table: &mut Table<'_>, findings: &mut Findings<'_>) -> (Prompt, Flow) {
    for key in ["prompt", "prompt_file"] {
        let problem =
            "an assistant of kind \"four-prompt\" has four, in files: write [prompts], or leave it out";
        table.refuse(findings, key, problem);
    }
    let mut files = table.table(findings, "prompts");
    let mut file = |key: &'static str| {
        prompt(&mut files, findings, key).unwrap_or_else(|| Prompt::File(format!("{assistant}/{key}.md")))
    };
    let (understand, update) = (file("understand"), file("update"));
    let (interpret, reassess) = (file("interpret"), file("reassess"));
    files.finish(findings);

    let known = findings.found.len();
    let mut agents: Vec<SubAgent> = Vec::new();
    for mut table in table.tables(findings, "agents") {
        let at = table.at.clone();
        let name = match table.text_at(findings, "name") {
            Some((name, at)) => {
                let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
                let problem = if name.len() > 32 || !name.bytes().all(plain) {
                    Some(format!(
                        "must be 1 to 32 lower-case letters, digits and `_`, not \"{name}\""
                    ))
                } else if RESERVED.contains(&name.as_str()) {
                    Some(format!(
                        "\"{name}\" is what other steps of a turn are called; choose another name"
                    ))
                } else if agents.iter().any(|agent| agent.name == name) {
                    Some(format!("\"{name}\" is another agent's name, too"))
                } else {
                    None
                };
                if let Some(problem) = problem {
                    findings.add(at, table.path("name"), problem);
                }
                name
            }
            None => {
                findings.add(at.clone(), table.path("name"), missing("name = \"email\""));
                String::new()
            }
        };
        let description = table.text(findings, "description").unwrap_or_else(|| {
            let example = "description = \"Finds and reads e-mails.\"";
            findings.add(at, table.path("description"), missing(example));
            String::new()
        });
        let count = |number: Option<i64>, default| {
            number
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(default)
        };
        agents.push(SubAgent {
            title: table.text(findings, "title").unwrap_or_else(|| name.clone()),
            name,
            description,
            examples: table.texts(findings, "examples"),
            interpret: prompt(&mut table, findings, "interpret").unwrap_or_else(|| interpret.clone()),
            reassess: prompt(&mut table, findings, "reassess").unwrap_or_else(|| reassess.clone()),
            iterations: count(table.integer(findings, "iterations", 1..10), 5),
            tool_calls: count(table.integer(findings, "tool_calls", 0..64), 8),
            tools: tools(&mut table, findings),
        });
        table.finish(findings);
    }
    if findings.found.len() == known && !(1..=MOST).contains(&agents.len()) {
        let problem = format!("must be 1 to {MOST} tables [[agents]], who carry out what a message asks for");
        findings.add(0..0, "agents".to_owned(), problem);
    }
    (understand, Flow { update, agents })
}

/// A prompt's file.
fn prompt(table: &mut Table<'_>, findings: &mut Findings<'_>, key: &'static str) -> Option<Prompt> {
    let (file, at) = table.text_at(findings, key)?;
    check_beside(&file, at, table.path(key), findings);
    Some(Prompt::File(file))
}

fn missing(example: &str) -> String {
    format!("is missing; write {example}")
}
