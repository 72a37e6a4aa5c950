//! Assistants as data: one TOML file each.
//!
//! The file's name without `.toml` is the assistant's name. Only `prompt` (or `prompt_file`) is required.
//!
//! ```toml
//! title = "Tasks"                       # for people; default: the name
//! description = "Keeps your to-do list" # for lists of assistants
//! kind = "agent"                        # a model that may call tools, until it answers
//! greeting = "What is there to do?"     # what the chat page shows first
//! suggestions = ["What is due today?"]  # and offers to say
//! on_busy = "reject"                    # a message while another one is answered: refused, or "enqueue" (waits
//!                                       # for it), "interrupt" (stops it), "rollback" (stops and undoes it)
//!
//! # What the model is told first. {{date}}, {{weekday}}, {{time}} and {{timezone}} stand for the user's own.
//! prompt = "You keep a to-do list. Today is {{weekday}}, {{date}}."
//! # prompt_file = "tasks.md"            # or in a file of its own, beside this one
//!
//! [model]                               # what is not set is the provider's choice
//! purpose = "turn"                      # how model calls are named in logs and bills
//! name = "gpt-6-luna"
//! temperature = 0.2                     # 0 to 2
//! top_p = 1.0                           # 0 to 1
//! max_output_tokens = 1000
//!
//! [session]
//! ttl = "24h"                           # idle time after which a conversation is forgotten; default 5m
//! window_turns = 20                     # how much of it the model sees: at most so many turns
//! window_bytes = 32768                  # and so many bytes
//!
//! [limits]
//! steps = 8                             # model calls in one turn
//! tool_calls = 16                       # tool calls in one turn
//! message_chars = 8000                  # the longest message
//! tool_result_chars = 16000             # the longest tool result; longer ones are cut
//!
//! [gates]
//! expire_after = "15m"                  # a risky call that nobody has decided on by then does not run
//!
//! [[tools]]
//! server = "tasks"                      # a tool component of this application
//! exclude = ["purge_tasks"]             # or include = […]: only these
//! confirm = ["complete_task"]           # these run when the user of the conversation has said yes
//! allow_always = ["delete_task"]        # and for these the user may say yes to all calls of a conversation
//! trusted = ["edit_task"]               # these run although they may destroy something
//! approve = [{ tool = "share_list", role = "manager" }] # these when somebody else, with this role, has
//!
//! [[tools]]
//! url = "https://mcp.example.com/mcp"   # an MCP server elsewhere
//! forward_user = true                   # tell it who is asking; default false
//! timeout = "60s"                       # its tools may take so long; then they count as not answering
//! ```
//!
//! Which calls are risky is decided by what their tools say of themselves: a tool that may destroy or overwrite
//! something, or does not say that it does not, is confirmed by the user; one that only reads never is. `confirm`,
//! `approve` and `trusted` say otherwise for single tools, or with `"*"` for all tools of the server that change
//! something.
//!
//! An assistant of `kind = "four-prompt"` has agents of its own instead of tools; [`flow`] describes its file.
//!
//! A file is either right or refused: every finding names file, line and key, and says what would be right
//! ([`AssistantError`]).

pub mod flow;
mod gating;
mod reader;
mod schema;

pub use flow::{Flow, SubAgent};
pub use gating::{Approver, GateSettings, Gating, Rule};

use crate::port::ModelOptions;
use crate::time::Local;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An assistant, as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assistant {
    /// The file's name without `.toml`.
    pub name: String,
    /// For people.
    pub title: String,
    /// For lists of assistants.
    pub description: String,
    /// How it works.
    pub kind: Kind,
    /// What the chat page shows first.
    pub greeting: Option<String>,
    /// What the chat page offers to say.
    pub suggestions: Vec<String>,
    /// What happens to a message while another one is answered.
    pub on_busy: OnBusy,
    /// What the model is told first: of kind `four-prompt`, to understand a message.
    pub prompt: Prompt,
    /// What model calls are for, in logs and bills.
    pub purpose: String,
    /// What answers should look like.
    pub options: ModelOptions,
    /// How long a conversation lives and how much of it the model sees.
    pub session: SessionSettings,
    /// What one turn may cost.
    pub limits: Limits,
    /// How long risky calls wait for a decision.
    pub gates: GateSettings,
    /// Where its tools come from.
    pub tools: Vec<ToolSource>,
}

/// How an assistant works.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A model that may call tools until it answers.
    Agent,
    /// A model that makes commands of messages, and agents that carry them out with tools.
    FourPrompt(Box<Flow>),
}

/// What happens to a message while another one of the same conversation is answered. In no case do the two mix:
/// a turn's entries are never parted by another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBusy {
    /// It is refused: [`crate::TurnError::Busy`].
    Reject,
    /// It is answered when those before it are.
    Enqueue,
    /// The running turn is stopped, then it is answered. What was said and done until then stands.
    Interrupt,
    /// The running turn is stopped, what it did is undone as far as it can be, and then it is answered.
    Rollback,
}

impl OnBusy {
    /// The policies, by the names that files and requests have for them.
    pub const NAMES: [(&'static str, OnBusy); 4] = [
        ("reject", OnBusy::Reject),
        ("enqueue", OnBusy::Enqueue),
        ("interrupt", OnBusy::Interrupt),
        ("rollback", OnBusy::Rollback),
    ];
}

/// What the model is told first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// The text, with placeholders.
    Text(String),
    /// It is in this file beside the assistant's; see [`Assistant::set_prompt`].
    File(String),
}

/// How long a conversation lives and how much of it the model sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Milliseconds without a turn after which it is forgotten.
    pub ttl: u64,
    /// The model sees at most so many earlier turns.
    pub window_turns: usize,
    /// The model sees at most so many bytes of earlier turns.
    pub window_bytes: usize,
}

/// What one turn may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Model calls.
    pub steps: u32,
    /// Tool calls.
    pub tool_calls: u32,
    /// Characters of a message.
    pub message_chars: usize,
    /// Characters of a tool's result; what is longer is cut.
    pub tool_result_chars: usize,
}

/// Where tools come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSource {
    /// The name of a tool component of this application, or the address of an MCP server. What
    /// [`crate::port::Tools`] is called with.
    pub server: String,
    /// Whether the server is outside of this application.
    pub external: bool,
    /// Whether the server is told who is asking. Always so for components of this application.
    pub forward_user: bool,
    /// How long a call of one of its tools may take, in milliseconds; none leaves it to the turn's lease and to the
    /// server.
    pub timeout: Option<u64>,
    /// Only these tools; empty means all.
    pub include: Vec<String>,
    /// Not these tools.
    pub exclude: Vec<String>,
    /// Which of their calls somebody must decide on.
    pub gating: Gating,
}

impl Assistant {
    /// Reads an assistant's file. `file` is its name, with or without folders; it is quoted in errors.
    pub fn parse(file: &str, text: &str) -> Result<Assistant, AssistantError> {
        schema::read(file, text)
    }

    /// The keys and the files of prompts that are not in the assistant's own file. Whoever loads an assistant reads
    /// them and calls [`Assistant::set_prompt`] with each; without that a prompt is empty.
    pub fn prompt_files(&self) -> Vec<(String, String)> {
        let own = match &self.kind {
            Kind::Agent => "prompt_file",
            Kind::FourPrompt(_) => "prompts.understand",
        };
        let mut files: Vec<(String, String)> = Vec::new();
        let mut add = |key: String, prompt: &Prompt| {
            if let Prompt::File(file) = prompt
                && !files.iter().any(|(_, known)| known == file)
            {
                files.push((key, file.clone()));
            }
        };
        add(own.to_owned(), &self.prompt);
        if let Kind::FourPrompt(flow) = &self.kind {
            flow.prompts().for_each(|(key, prompt)| add(key, prompt));
        }
        files
    }

    /// Sets the prompts that are in the file `name` to its text; errors call the file `shown`.
    pub fn set_prompt(&mut self, name: &str, shown: &str, text: &str) -> Result<(), AssistantError> {
        let Assistant { kind, prompt, .. } = self;
        let set = |prompt: &mut Prompt, more: &[&str]| {
            if !matches!(prompt, Prompt::File(file) if file == name) {
                return Ok(());
            }
            schema::check_prompt(text, more).map_err(|(line, problem)| AssistantError {
                file: shown.to_owned(),
                findings: vec![Finding {
                    line,
                    key: "prompt".to_owned(),
                    problem,
                }],
            })?;
            *prompt = Prompt::Text(text.to_owned());
            Ok(())
        };
        match kind {
            Kind::Agent => set(prompt, &[]),
            Kind::FourPrompt(flow) => {
                set(prompt, &flow::OF_ALL)?;
                set(&mut flow.update, &flow::OF_ALL)?;
                for agent in &mut flow.agents {
                    set(&mut agent.interpret, &flow::OF_ONE)?;
                    set(&mut agent.reassess, &flow::OF_ONE)?;
                }
                Ok(())
            }
        }
    }

    /// All sources of tools: the assistant's own, and its agents'.
    pub fn sources(&self) -> impl Iterator<Item = &ToolSource> {
        let agents = match &self.kind {
            Kind::Agent => &[][..],
            Kind::FourPrompt(flow) => &flow.agents,
        };
        self.tools
            .iter()
            .chain(agents.iter().flat_map(|agent| &agent.tools))
    }
}

impl Prompt {
    /// The prompt with the placeholders for the user's time filled in.
    pub(crate) fn render(&self, local: &Local, timezone: Option<&str>) -> String {
        let Prompt::Text(text) = self else {
            return String::new();
        };
        if !text.contains("{{") {
            return text.clone();
        }
        text.replace("{{date}}", &local.date)
            .replace("{{weekday}}", local.weekday)
            .replace("{{time}}", &local.time)
            .replace(
                "{{timezone}}",
                timezone.unwrap_or(if local.offset == "Z" { "UTC" } else { &local.offset }),
            )
    }
}

/// Why an assistant's file cannot be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssistantError {
    /// The file.
    pub file: String,
    /// At least one.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong with an assistant's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Counted from 1.
    pub line: usize,
    /// Such as `limits.steps`; empty where no key is to blame.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for AssistantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{}: ", self.file, finding.line)?;
            if !finding.key.is_empty() {
                write!(f, "`{}`: ", finding.key)?;
            }
            write!(f, "{}", finding.problem)?;
        }
        Ok(())
    }
}

impl std::error::Error for AssistantError {}

/// Where assistants come from.
#[allow(async_fn_in_trait)]
pub trait Assistants {
    /// The assistant with this name, its prompt included. A name may hold anything that a client can write.
    async fn load(&self, name: &str) -> Result<Assistant, LoadError>;
}

/// Why there is no assistant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is none with this name.
    #[error("there is no assistant named “{0}”")]
    Unknown(String),
    /// Its file cannot be used.
    #[error(transparent)]
    Invalid(#[from] AssistantError),
}
