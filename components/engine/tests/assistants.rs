//! Assistant files: what a right one means, and the exact message that a person gets for a wrong one.
//!
//! Every `assistants/<name>.toml` beside this file is wrong, and `<name>.err` says how. Run with
//! `UPDATE_GOLDEN=1` to write the messages anew, and read the difference.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files should stop there"
)]

use anyturn_engine::Assistant;
use anyturn_engine::assistant::{Approver, Gating, Kind, OnBusy, Prompt, ToolSource};
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

#[test]
fn a_wrong_file_is_refused_with_line_key_and_what_would_be_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assistants");
    let files = files(&folder);
    assert!(files.len() >= 12);
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let error = Assistant::parse(name, &text).expect_err(name);
        let found = format!("{error}\n");
        let golden = path.with_extension("err");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        assert_eq!(
            found,
            std::fs::read_to_string(&golden).unwrap_or_default(),
            "{name}"
        );
    }
}

#[test]
fn the_assistants_of_this_application_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assistants");
    let files = files(&folder);
    assert!(files.len() >= 2);
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let mut assistant = Assistant::parse(name, &std::fs::read_to_string(&path).unwrap()).unwrap();
        for (_, file) in assistant.prompt_files() {
            let text = std::fs::read_to_string(folder.join(&file)).unwrap();
            assistant.set_prompt(&file, &file, &text).unwrap();
        }
        assert_eq!(assistant.prompt_files(), []);
    }
}

#[test]
fn what_a_file_leaves_out_has_a_default() {
    let assistant = Assistant::parse("assistants/plain.toml", "prompt = \"Be kind.\"").unwrap();
    assert_eq!(
        (assistant.name.as_str(), assistant.title.as_str()),
        ("plain", "plain")
    );
    assert_eq!(assistant.prompt, Prompt::Text("Be kind.".into()));
    assert_eq!((assistant.kind, assistant.on_busy), (Kind::Agent, OnBusy::Reject));
    assert_eq!((assistant.purpose.as_str(), assistant.tools.len()), ("turn", 0));
    assert_eq!(assistant.session.ttl, 5 * 60 * 1000);
    assert_eq!((assistant.limits.steps, assistant.limits.tool_calls), (8, 16));
    assert_eq!(assistant.gates.expire_after, 15 * 60 * 1000);
}

#[test]
fn the_documented_example_means_what_it_says() {
    // The example in the documentation of the module, taken from there so that the two cannot differ.
    let source = include_str!("../src/assistant.rs");
    let example = source
        .split("//! ```toml\n")
        .nth(1)
        .unwrap()
        .split("//! ```")
        .next()
        .unwrap();
    let toml: String = example
        .lines()
        .map(|line| line.trim_start_matches("//!").trim_start().to_owned() + "\n")
        .collect();
    let assistant = Assistant::parse("tasks.toml", &toml).unwrap();
    assert_eq!(assistant.options.model.as_deref(), Some("gpt-6-luna"));
    assert_eq!(assistant.options.temperature, Some(0.2));
    assert_eq!(assistant.session.ttl, 24 * 60 * 60 * 1000);
    assert_eq!(assistant.session.window_bytes, 32768);
    assert_eq!(
        assistant.tools,
        [
            ToolSource {
                server: "tasks".into(),
                external: false,
                forward_user: true,
                timeout: None,
                include: Vec::new(),
                exclude: vec!["purge_tasks".into()],
                gating: Gating {
                    confirm: vec!["complete_task".into()],
                    approve: vec![Approver {
                        tool: "share_list".into(),
                        role: "manager".into(),
                    }],
                    allow_always: vec!["delete_task".into()],
                    trusted: vec!["edit_task".into()],
                },
            },
            ToolSource {
                server: "https://mcp.example.com/mcp".into(),
                external: true,
                forward_user: true,
                timeout: Some(60_000),
                include: Vec::new(),
                exclude: Vec::new(),
                gating: Gating::default(),
            },
        ]
    );
    // And it leaves no key out.
    for (key, text) in [
        ("prompt_file", "prompt_file = \"tasks.md\""),
        ("name", "name = \"tasks\"\nprompt = \"x\""),
    ] {
        assert!(Assistant::parse("tasks.toml", text).is_ok(), "{key}");
    }
}

#[test]
fn a_prompt_in_a_file_of_its_own_is_checked_like_any_other() {
    let mut assistant = Assistant::parse("tasks.toml", "prompt_file = \"tasks.md\"").unwrap();
    assert_eq!(
        assistant.prompt_files(),
        [("prompt_file".into(), "tasks.md".into())]
    );
    let error = assistant
        .set_prompt("tasks.md", "assistants/tasks.md", "Hello.\nIt is {{now}}.")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "assistants/tasks.md:2: `prompt`: {{now}} is no placeholder; there are {{date}}, {{weekday}}, {{time}}, {{timezone}}"
    );
    assistant
        .set_prompt("tasks.md", "tasks.md", "It is {{time}}.")
        .unwrap();
    assert_eq!(assistant.prompt_files(), []);
}
