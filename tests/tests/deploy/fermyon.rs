//! `fermyon/deploy`: it finds what would go wrong before anything is sent, and tells nobody the secrets.
//!
//! The `spin` on its `PATH` here only writes down how it was called: what the real one does with an upload is the
//! platform's.

use anyturn_tests::repository;
use anyturn_tests::users::SECRET;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

/// What makes a deployment complete.
const COMPLETE: [(&str, &str); 4] = [
    ("REDIS_URL", "rediss://anyturn:hidden@redis.example:6380/2"),
    ("JWT_SECRET", SECRET),
    ("INTERNAL_SECRET", "hidden"),
    ("LLM_TIMEOUT_MS", "25000"),
];

/// Runs the script with variables and a `spin` of the given version; returns what it said, and how `spin` was called.
fn deploy(arguments: &[&str], variables: &[(&str, &str)], version: &str) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let spin = folder.path().join("spin");
    let calls = folder.path().join("calls");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\ncase $1 in --version) echo 'spin {version}';; doctor) echo 'No problems found.';; esac\n",
        calls.display()
    );
    std::fs::write(&spin, script).unwrap();
    std::fs::set_permissions(&spin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new("python3")
        .arg(repository().join("fermyon/deploy"))
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .envs(
            variables
                .iter()
                .map(|(name, value)| (format!("SPIN_VARIABLE_{name}"), *value)),
        )
        .output()
        .unwrap();
    (output, std::fs::read_to_string(calls).unwrap_or_default())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn a_dry_run_checks_everything_and_sends_nothing() {
    for platform in ["aka", "cloud"] {
        let (output, calls) = deploy(&[platform, "--dry-run"], &COMPLETE, "4.1.0");
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("`spin doctor` of spin 4.1.0 finds no problems"),
            "{said}"
        );
        assert!(said.contains("rediss://redis.example:6380 only"), "{said}");
        assert!(said.contains(&format!("spin {platform} deploy --from")), "{said}");
        assert!(!said.contains("hidden") && !said.contains(SECRET), "{said}");
        assert!(!calls.contains("--variable"), "{calls}");
    }
}

#[test]
fn deploying_hands_the_variables_to_the_plugin_and_shows_no_secret() {
    let (output, calls) = deploy(&["aka", "--", "--no-confirm"], &COMPLETE, "4.1.0");
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("hidden") && !said.contains(SECRET), "{said}");
    let last = calls.lines().last().unwrap();
    assert!(last.starts_with("aka deploy --from /"), "{last}");
    for wanted in [
        "--variable internal_secret=hidden",
        "--variable redis_url=rediss://anyturn:hidden@redis.example:6380/2",
        "--variable redis_origin=rediss://redis.example:6380",
        "--no-confirm",
    ] {
        assert!(last.contains(wanted), "{wanted} in {last}");
    }
}

#[test]
fn what_would_go_wrong_on_the_platform_is_said_before() {
    for (name, value, wrong) in [
        ("REDIS_URL", "redis://u:p@redis.example", "has to be TLS"),
        ("REDIS_URL", "rediss://redis.example", "has no password"),
        ("REDIS_URL", "rediss://u:p@localhost", "could reach"),
        ("REDIS_URL", "", "is not set"),
        (
            "REDIS_ORIGIN",
            "rediss://other.example:6380",
            "must be rediss://redis.example:6380",
        ),
        ("JWT_SECRET", "", "nobody would be let in"),
        ("JWT_SECRET", "short", "fewer than 32 bytes"),
        ("INTERNAL_SECRET", "", "no clock"),
        ("DEVELOPMENT_USER", "local", "lets everybody in"),
        ("LLM_TIMEOUT_MS", "60000", "ended after 30 s"),
        ("LLM_BASE_URL", "http://model.example/v1", "https://"),
        ("NO_SUCH_THING", "1", "spin.toml has no variable no_such_thing"),
    ] {
        let mut variables = COMPLETE.to_vec();
        variables.retain(|(each, _)| *each != name);
        variables.push((name, value));
        let (output, calls) = deploy(&["aka"], &variables, "4.1.0");
        let said = said(&output);
        assert!(
            !output.status.success() && said.contains(wrong),
            "{name}={value}: {said}"
        );
        assert!(!calls.contains("--variable"), "{name}={value}: {calls}");
    }
}

#[test]
fn a_spin_that_is_too_old_deploys_nothing() {
    let (output, _) = deploy(&["aka", "--dry-run"], &COMPLETE, "3.6.3");
    let said = said(&output);
    assert!(
        !output.status.success() && said.contains("need Spin 4.1 or later"),
        "{said}"
    );
}
