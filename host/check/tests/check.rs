//! The whole check, as `anyturn check` and `anyturn up` call it.

// A fixture that is broken fails the test, and so it should.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyturn_check::{Subject, check};
use anyturn_manifest::Inputs;

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "demo"
[variables]
token = { required = true, secret = true }
[[trigger.http]]
route = "/..."
component = "chat"
[component.chat]
source = "chat.wasm"
files = [{ source = "assistants", destination = "/assistants" }]
variables = { token = "{{ token }}" }
[component.chat.dependencies]
"demo:state" = { path = "state.wasm" }
"demo:model" = { path = "model.wasm" }
"#;

fn outcome(root: &Path, inputs: &Inputs) -> Result<String, String> {
    let subject = Subject {
        manifest: &root.join("spin.toml"),
        inputs,
        listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
        provided: &|name| name.covers("demo:state/store@0.1.0"),
        redis_ca_file: None,
    };
    let directory = format!("{}/", root.display());
    match check(&subject) {
        Ok((checked, warnings)) => Ok(format!("{} {warnings}", checked.application.name())),
        Err(findings) => Err(findings.to_string().replace(&directory, "")),
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("assistants")).unwrap();
    std::fs::write(root.path().join("assistants/a.toml"), "prmpt = 'x'").unwrap();
    std::fs::write(root.path().join("spin.toml"), MANIFEST).unwrap();
    let told = outcome(root.path(), &Inputs::default()).unwrap_err();
    for expected in [
        "error: spin.toml:11: component.chat.source: `chat.wasm` does not exist",
        "error: spin.toml:16: component.chat.dependencies.\"demo:model\": `model.wasm` does not exist",
        "error: spin.toml:6: variables.token: required, and has no value",
        "error: assistants/a.toml:1: prmpt: ",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    assert!(
        !told.contains("state.wasm"),
        "the host provides it itself: {told}"
    );
}

#[test]
fn what_is_right_is_handed_over() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("assistants")).unwrap();
    std::fs::write(root.path().join("assistants/a.toml"), "prompt = 'x'").unwrap();
    std::fs::write(root.path().join("spin.toml"), MANIFEST).unwrap();
    let chat = r#"(component
        (import "demo:state/store@0.1.0" (instance $state (export "f" (func))))
        (export "wasi:http/handler@0.3.0" (instance $state)))"#;
    std::fs::write(root.path().join("chat.wasm"), wat::parse_str(chat).unwrap()).unwrap();
    std::fs::write(
        root.path().join("model.wasm"),
        wat::parse_str("(component)").unwrap(),
    )
    .unwrap();
    let mut inputs = Inputs::default();
    inputs.flag("token=x");
    assert_eq!(outcome(root.path(), &inputs).unwrap(), "demo ");
}
