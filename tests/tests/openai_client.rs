//! An unmodified OpenAI client: the official Python package, pointed at anyturn.

use anyturn_tests::host::Host;
use std::path::PathBuf;
use tokio::process::Command;

#[tokio::test]
async fn the_official_python_client_works_unmodified() {
    let host = Host::start().await;
    let script = anyturn_tests::repository().join("tests/clients/openai_client.py");
    let output = Command::new(python())
        .arg(script)
        .arg(host.url(""))
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        host.log()
    );
}

/// The Python of the environment that `cargo xtask test` keeps under `target/`, with the client installed.
fn python() -> PathBuf {
    let python = anyturn_tests::host::binary()
        .ancestors()
        .nth(2)
        .unwrap()
        .join("clients/bin/python");
    assert!(
        python.is_file(),
        "{} is not there: `cargo xtask test` makes it",
        python.display()
    );
    python
}
