//! Which keys an assistant's file has, what they may hold, and what holds where they are missing.

use super::gating::{ALL, EXPIRE_AFTER};
use super::reader::{Findings, Table};
use super::{Approver, GateSettings, Gating};
use super::{Assistant, AssistantError, Kind, Limits, OnBusy, Prompt, SessionSettings, ToolSource, flow};
use crate::port::ModelOptions;
use crate::session::index::LONGEST_TTL;
use toml::de::DeTable;

/// The longest time that a call of a tool may be given, in milliseconds: 5 minutes.
const LONGEST_TIMEOUT: u64 = 5 * 60 * 1000;

/// The placeholders of prompts.
const PLACEHOLDERS: [&str; 4] = ["date", "weekday", "time", "timezone"];

pub(super) fn read(file: &str, text: &str) -> Result<Assistant, AssistantError> {
    let mut findings = Findings::new(text);
    let assistant = match DeTable::parse(text) {
        Ok(table) => assistant(file, Table::new(String::new(), table), &mut findings),
        Err(error) => {
            let at = error.span().unwrap_or(0..0);
            findings.add(
                at,
                String::new(),
                format!("this is not TOML: {}", error.message()),
            );
            None
        }
    };
    match assistant {
        Some(assistant) if findings.found.is_empty() => Ok(assistant),
        _ => {
            findings.found.sort_by_key(|finding| finding.line);
            Err(AssistantError {
                file: file.to_owned(),
                findings: findings.found,
            })
        }
    }
}

fn assistant(file: &str, mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<Assistant> {
    let name = name(file, &mut table, findings);
    let title = table.text(findings, "title").unwrap_or_else(|| name.clone());
    let description = table.text(findings, "description").unwrap_or_default();
    let four = table
        .word(findings, "kind", &[("agent", false), ("four-prompt", true)])
        .unwrap_or(false);
    let greeting = table.text(findings, "greeting");
    let suggestions = table.texts(findings, "suggestions");
    let on_busy = table
        .word(findings, "on_busy", &OnBusy::NAMES)
        .unwrap_or(OnBusy::Reject);
    let (prompt, kind) = if four {
        let (understand, flow) = flow::read(&name, &mut table, findings);
        (Some(understand), Kind::FourPrompt(Box::new(flow)))
    } else {
        for key in ["prompts", "agents"] {
            table.refuse(findings, key, "is for kind = \"four-prompt\" only");
        }
        (prompt(&mut table, findings), Kind::Agent)
    };
    let (purpose, options) = model(table.table(findings, "model"), findings);
    let session = session(table.table(findings, "session"), findings);
    let limits = limits(table.table(findings, "limits"), four, findings);
    let gates = gates(table.table(findings, "gates"), findings);
    let tools = if four {
        table.refuse(
            findings,
            "tools",
            "belongs to an agent: write [[agents.tools]] after its [[agents]]",
        );
        Vec::new()
    } else {
        tools(&mut table, findings)
    };
    table.finish(findings);
    Some(Assistant {
        name,
        title,
        description,
        kind,
        greeting,
        suggestions,
        on_busy,
        prompt: prompt?,
        purpose,
        options,
        session,
        limits,
        gates,
        tools,
    })
}

/// The file's name is the assistant's; a key `name` may repeat it but not contradict it.
fn name(file: &str, table: &mut Table<'_>, findings: &mut Findings<'_>) -> String {
    let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let name = base.strip_suffix(".toml").unwrap_or(base);
    let valid = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_');
    if !valid {
        let problem =
            "an assistant's file must be named with 1 to 64 lower-case letters, digits, `-` and `_`";
        findings.add(0..0, String::new(), problem.to_owned());
    }
    if let Some((given, at)) = table.text_at(findings, "name")
        && given != name
    {
        let problem = format!("must be the file's name, \"{name}\", or be left out, not \"{given}\"");
        findings.add(at, "name".to_owned(), problem);
    }
    name.to_owned()
}

fn prompt(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<Prompt> {
    let inline = table.text_at(findings, "prompt");
    let file = table.text_at(findings, "prompt_file");
    match (inline, file) {
        (Some(_), Some((_, at))) => {
            let problem = "there is a `prompt` too; keep one of the two".to_owned();
            findings.add(at, "prompt_file".to_owned(), problem);
            None
        }
        (Some((text, at)), None) => {
            if let Err((line, problem)) = check_prompt(&text, &[]) {
                findings.add_within(at, line, "prompt".to_owned(), problem);
            }
            Some(Prompt::Text(text))
        }
        (None, Some((file, at))) => {
            check_beside(&file, at, "prompt_file".to_owned(), findings);
            Some(Prompt::File(file))
        }
        (None, None) => {
            if findings
                .found
                .iter()
                .all(|finding| !finding.key.starts_with("prompt"))
            {
                let problem = "is missing: say what the assistant is and does, such as prompt = \"You keep a to-do list.\"";
                findings.add(0..0, "prompt".to_owned(), problem.to_owned());
            }
            None
        }
    }
}

/// Refuses a file that is not beside the assistant's.
pub(super) fn check_beside(file: &str, at: std::ops::Range<usize>, key: String, findings: &mut Findings<'_>) {
    if file.starts_with('/') || file.split(['/', '\\']).any(|part| part == "..") {
        let problem = format!("must be a file beside the assistant's, not \"{file}\"");
        findings.add(at, key, problem);
    }
}

/// Refuses placeholders that there are not, with the line (from 1) in the prompt. There are `more` than those that
/// all prompts have.
pub(super) fn check_prompt(text: &str, more: &[&str]) -> Result<(), (usize, String)> {
    for (index, line) in text.lines().enumerate() {
        for rest in line.split("{{").skip(1) {
            let inner = rest.split_once("}}").map(|(inner, _)| inner);
            if !inner.is_some_and(|inner| PLACEHOLDERS.contains(&inner) || more.contains(&inner)) {
                let written = inner.map_or_else(|| "{{".to_owned(), |inner| format!("{{{{{inner}}}}}"));
                let known = PLACEHOLDERS
                    .iter()
                    .chain(more)
                    .map(|name| format!("{{{{{name}}}}}"));
                let known = known.collect::<Vec<_>>().join(", ");
                return Err((
                    index + 1,
                    format!("{written} is no placeholder; there are {known}"),
                ));
            }
        }
    }
    Ok(())
}

fn model(mut table: Table<'_>, findings: &mut Findings<'_>) -> (String, ModelOptions) {
    let purpose = table
        .text(findings, "purpose")
        .unwrap_or_else(|| "turn".to_owned());
    let options = ModelOptions {
        model: table.text(findings, "name"),
        temperature: table.number(findings, "temperature", 0..2),
        top_p: table.number(findings, "top_p", 0..1),
        max_output_tokens: table
            .integer(findings, "max_output_tokens", 1..1_000_000)
            .and_then(|tokens| u32::try_from(tokens).ok()),
        stop: table.texts(findings, "stop"),
        seed: table.integer(findings, "seed", i64::MIN..i64::MAX),
    };
    if options.stop.len() > 4 {
        findings.add(
            table.at.clone(),
            table.path("stop"),
            "must be at most 4 texts".to_owned(),
        );
    }
    table.finish(findings);
    (purpose, options)
}

fn session(mut table: Table<'_>, findings: &mut Findings<'_>) -> SessionSettings {
    let settings = SessionSettings {
        ttl: table
            .duration(findings, "ttl", LONGEST_TTL)
            .unwrap_or(5 * 60 * 1000),
        window_turns: size(&mut table, findings, "window_turns", 0..1000, 20),
        window_bytes: size(&mut table, findings, "window_bytes", 0..500_000, 32 * 1024),
    };
    table.finish(findings);
    settings
}

fn limits(mut table: Table<'_>, four: bool, findings: &mut Findings<'_>) -> Limits {
    let mut count = |key, bounds, default| {
        table
            .integer(findings, key, bounds)
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(default)
    };
    // Each agent calls the model by itself.
    let (steps, tool_calls) = if four { (32, 32) } else { (8, 16) };
    let (steps, tool_calls) = (
        count("steps", 1..64, steps),
        count("tool_calls", 0..64, tool_calls),
    );
    let limits = Limits {
        steps,
        tool_calls,
        message_chars: size(&mut table, findings, "message_chars", 1..200_000, 8000),
        tool_result_chars: size(&mut table, findings, "tool_result_chars", 100..200_000, 16_000),
    };
    table.finish(findings);
    limits
}

/// The `[[tools]]` of an assistant or of one of its agents.
pub(super) fn tools(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<ToolSource> {
    let sources = table.tables(findings, "tools");
    let read = |source| tool_source(source, findings);
    sources.into_iter().filter_map(read).collect()
}

fn gates(mut table: Table<'_>, findings: &mut Findings<'_>) -> GateSettings {
    let settings = GateSettings {
        expire_after: table
            .duration(findings, "expire_after", LONGEST_TTL)
            .unwrap_or(EXPIRE_AFTER),
    };
    table.finish(findings);
    settings
}

/// Who decides on which tools: no tool may have two answers.
fn gating(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Gating {
    let confirm = table.texts_at(findings, "confirm");
    let allow_always = table.texts_at(findings, "allow_always");
    let trusted = table.texts_at(findings, "trusted");
    let mut approve = Vec::new();
    for mut approver in table.tables(findings, "approve") {
        let (tool, role) = (
            approver.text_at(findings, "tool"),
            approver.text_at(findings, "role"),
        );
        for (key, found) in [("tool", &tool), ("role", &role)] {
            if found.is_none()
                && !findings
                    .found
                    .iter()
                    .any(|finding| finding.key == approver.path(key))
            {
                let problem = "is missing; write { tool = \"pay_invoice\", role = \"manager\" }".to_owned();
                findings.add(approver.at.clone(), approver.path(key), problem);
            }
        }
        if let Some((role, at)) = &role
            && role.contains(',')
        {
            let problem = format!("must be one role, without commas, not \"{role}\"");
            findings.add(at.clone(), approver.path("role"), problem);
        }
        approver.finish(findings);
        if let (Some((tool, at)), Some((role, _))) = (tool, role) {
            approve.push((Approver { tool, role }, at));
        }
    }
    let mut decided: Vec<(&str, &'static str)> = Vec::new();
    let named = confirm.iter().map(|(tool, at)| (tool, at, "confirm"));
    let approved = approve
        .iter()
        .map(|(approver, at)| (&approver.tool, at, "approve"));
    let trusts = trusted.iter().map(|(tool, at)| (tool, at, "trusted"));
    for (tool, at, key) in named.chain(approved).chain(trusts) {
        if let Some((_, other)) = decided.iter().find(|(known, _)| known == tool) {
            let problem = format!("\"{tool}\" is in `{other}` too; keep one of the two");
            findings.add(at.clone(), table.path(key), problem);
        }
        decided.push((tool, key));
    }
    for (tool, at) in allow_always.iter().filter(|(tool, _)| tool != ALL) {
        let problem = match decided.iter().find(|(known, _)| known == tool) {
            Some((_, "approve")) => {
                format!("\"{tool}\" is in `approve`: somebody decides on each of its calls")
            }
            Some((_, "trusted")) => format!("\"{tool}\" is in `trusted`: nobody is asked about its calls"),
            _ => continue,
        };
        findings.add(at.clone(), table.path("allow_always"), problem);
    }
    let names = |list: Vec<(String, _)>| list.into_iter().map(|(tool, _)| tool).collect();
    Gating {
        approve: approve.into_iter().map(|(approver, _)| approver).collect(),
        confirm: names(confirm),
        allow_always: names(allow_always),
        trusted: names(trusted),
    }
}

fn size(
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
    key: &'static str,
    bounds: std::ops::Range<i64>,
    default: usize,
) -> usize {
    table
        .integer(findings, key, bounds)
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(default)
}

fn tool_source(mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<ToolSource> {
    let server = table.text_at(findings, "server");
    let url = table.text_at(findings, "url");
    let forward = table.boolean(findings, "forward_user");
    let timeout = table.duration(findings, "timeout", LONGEST_TIMEOUT);
    let include = table.texts(findings, "include");
    let exclude = table.texts(findings, "exclude");
    let gating = gating(&mut table, findings);
    let (server, external) = match (server, url) {
        (Some((server, at)), None) => {
            if !server.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
                let problem = format!("must be the name of a component in spin.toml, not \"{server}\"");
                findings.add(at, table.path("server"), problem);
            }
            (Some(server), false)
        }
        (None, Some((url, at))) => {
            if !url.starts_with("https://") && !url.starts_with("http://") {
                let problem =
                    format!("must be an address such as \"https://mcp.example.com/mcp\", not \"{url}\"");
                findings.add(at, table.path("url"), problem);
            }
            (Some(url), true)
        }
        (Some(_), Some((_, at))) => {
            let problem = "there is a `server` too; keep one of the two".to_owned();
            findings.add(at, table.path("url"), problem);
            (None, false)
        }
        (None, None) => {
            let problem =
                "needs `server` (a tool component of this application) or `url` (an MCP server elsewhere)";
            findings.add(table.at.clone(), table.path("server"), problem.to_owned());
            (None, false)
        }
    };
    if let Some((_, at)) = &forward
        && !external
    {
        let problem = "is for a `url` only: components of this application are always told who is asking";
        findings.add(at.clone(), table.path("forward_user"), problem.to_owned());
    }
    if !include.is_empty() && !exclude.is_empty() {
        let problem = "there is an `include` too; keep one of the two".to_owned();
        findings.add(table.at.clone(), table.path("exclude"), problem);
    }
    table.finish(findings);
    let forward_user = !external || forward.is_some_and(|(forward, _)| forward);
    Some(ToolSource {
        server: server?,
        external,
        forward_user,
        timeout,
        include,
        exclude,
        gating,
    })
}
