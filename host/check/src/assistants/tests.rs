use anyturn_manifest::Inputs;

use super::*;

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "chat"
[[trigger.http]]
route = { private = true }
component = "tasks"
[[trigger.http]]
route = { private = true }
component = "unlisted"
[component.chat]
source = "chat.wasm"
files = [{ source = "assistants", destination = "/assistants" }]
allowed_outbound_hosts = ["http://tasks.spin.internal", "https://mcp.example.com"]
[component.tasks]
source = "tasks.wasm"
[component.unlisted]
source = "unlisted.wasm"
"#;

/// What is told about these assistants.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("assistants")).unwrap();
    for (name, text) in files {
        std::fs::write(root.path().join("assistants").join(name), text).unwrap();
    }
    let (application, _) = anyturn_manifest::parse(&root.path().join("spin.toml"), MANIFEST).unwrap();
    let (values, _) = application.values(&Inputs::default()).unwrap();
    let directory = format!("{}/", root.path().display());
    check(&application, Some(&values))
        .iter()
        .map(|finding| finding.to_string().replace(&directory, ""))
        .collect()
}

fn with_tools(tools: &str) -> String {
    format!("prompt = 'Help.'\n[[tools]]\n{tools}\n")
}

#[test]
fn a_right_assistant_is_not_mentioned() {
    let tools = with_tools("server = 'tasks'\n[[tools]]\nurl = 'https://mcp.example.com/mcp'");
    let from_file = "prompt_file = 'long.md'";
    assert_eq!(
        told(&[("a.toml", &tools), ("b.toml", from_file), ("long.md", "Help.")]),
        Vec::<String>::new()
    );
}

#[test]
fn a_wrong_file_is_told_with_line_and_key() {
    let told = told(&[("a.toml", "prompt = 'Help.'\nprmpt = 1\n")]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("error: assistants/a.toml:2: prmpt: "),
        "{told:?}"
    );
}

#[test]
fn the_prompts_and_tools_of_agents_are_looked_for_too() {
    let agents = "kind = 'four-prompt'\n[prompts]\nreassess = 'again.md'\n[[agents]]\nname = 'mail'\ndescription = 'Reads.'\n[[agents.tools]]\nserver = 'nowhere'\n";
    let told = told(&[("a.toml", agents), ("again.md", "Hello {{agents}}")]);
    let begins = [
        "error: assistants/a.toml: prompts.understand: `a/understand.md` is not there",
        "error: assistants/a.toml: prompts.update: `a/update.md` is not there",
        "error: assistants/a.toml: agents[0].interpret: `a/interpret.md` is not there",
        "error: assistants/again.md:1: prompt: {{agents}} is no placeholder",
        "error: assistants/a.toml: agents[0].tools[0].server: the application has no component `nowhere`",
    ];
    for begin in begins {
        assert!(
            told.iter().any(|told| told.starts_with(begin)),
            "{begin}: {told:?}"
        );
    }
    assert_eq!(told.len(), begins.len(), "{told:?}");
}

#[test]
fn a_prompt_that_is_not_there_is_told() {
    let told = told(&[("a.toml", "prompt_file = 'long.md'")]);
    assert_eq!(
        told,
        [
            "error: assistants/a.toml: prompt_file: `long.md` is not there\n    put it beside assistants/a.toml"
        ]
    );
}

#[test]
fn a_tool_server_that_cannot_be_reached_is_told() {
    for (tools, reason) in [
        (
            "server = 'taks'",
            "tools[0].server: the application has no component `taks` with an http trigger",
        ),
        (
            "server = 'unlisted'",
            "tools[0].server: `chat` may not connect to `unlisted`",
        ),
        (
            "url = 'https://other.example.com/mcp'",
            "tools[0].url: `chat` may not connect to https://other.example.com",
        ),
    ] {
        let told = told(&[("a.toml", &with_tools(tools))]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("error: assistants/a.toml: {reason}")),
            "{told:?}"
        );
    }
}

#[test]
fn a_folder_without_assistants_is_told() {
    let told = told(&[("readme.md", "nothing")]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("there is no assistant among the files in /assistants"),
        "{told:?}"
    );
}

#[test]
fn the_projects_own_assistants_are_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
    let (application, _) = anyturn_manifest::load(&path).unwrap();
    let (values, _) = application.values(&Inputs::default()).unwrap();
    let findings = check(&application, Some(&values));
    assert!(findings.is_empty(), "{findings}");
}
