//! `cargo xtask deploy-check`: the files of deployments, each checked by the strictest means there is without an account.
//!
//! What checks them is installed into `target/validators`; where it cannot be, or where a platform publishes its schema
//! on the web only and the web is out of reach, the check is told as skipped. It never passes for having been done.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Result, bail};

use crate::run::{program, root, step};
use crate::{image, machine, no_arguments, sbom};

/// How a validator says that it could not be asked.
const UNREACHABLE: i32 = 77;

/// A check: what of, by what, and the words to run.
struct Check {
    of: &'static str,
    by: &'static str,
    words: Vec<String>,
}

/// How a check went.
enum Outcome {
    Good,
    Bad(String),
    Skipped(String),
}

/// `cargo xtask deploy-check`.
pub fn check(arguments: &[String]) -> Result<()> {
    no_arguments("deploy-check", arguments)?;
    step("Checking the files of deployments");
    let installed = machine::validators();
    if let Err(error) = &installed {
        eprintln!("SKIPPED: all checks of schemas, because the validators cannot be installed: {error:#}");
    }
    let mut bad = 0;
    for check in checks(installed.is_ok()) {
        let Check { of, by, words } = check;
        match run(&words) {
            Outcome::Good => eprintln!("ok: {of}, by {by}"),
            Outcome::Skipped(reason) => eprintln!("SKIPPED: {of}, by {by}: {reason}"),
            Outcome::Bad(said) => {
                bad += 1;
                eprintln!("error: {of}, by {by}:\n{said}");
            }
        }
    }
    if bad > 0 {
        bail!("{bad} of the checks failed");
    }
    Ok(())
}

/// All checks: those of the validators, and those by programs that a machine may have.
fn checks(validators: bool) -> Vec<Check> {
    let bin = root().join("target/validators/bin");
    let tool = |name: &str| bin.join(name).display().to_string();
    let script = |name: &str| format!("tests/validators/{name}.py");
    let mut checks = Vec::new();
    let mut add = |of, by, program: String, rest: &[&str]| {
        let rest = rest.iter().map(|word| (*word).to_owned());
        let words = std::iter::once(program).chain(rest).collect();
        checks.push(Check { of, by, words });
    };
    if validators {
        add("Dockerfile", "hadolint", tool("hadolint"), &["Dockerfile"]);
        add(".ci/run", "shellcheck", tool("shellcheck"), &[".ci/run"]);
        let files = [
            "--strict",
            "-c",
            "tests/validators/yamllint.yaml",
            "docker-compose.yml",
            "deploy",
        ];
        add("every YAML file", "yamllint", tool("yamllint"), &files);
        let compose = ["--builtin-schema", "vendor.compose-spec", "docker-compose.yml"];
        add(
            "Compose",
            "the Compose specification's schema",
            tool("check-jsonschema"),
            &compose,
        );
        let files = kubernetes();
        let files: Vec<&str> = std::iter::once("--strict")
            .chain(files.iter().map(String::as_str))
            .collect();
        add(
            "Kubernetes",
            "the schemas of Kubernetes",
            tool("kubernetes-validate"),
            &files,
        );
        add(
            "App Runner",
            "cfn-lint",
            tool("cfn-lint"),
            &["deploy/app-runner/service.yaml"],
        );
        let file = "deploy/cloud-run/service.yaml";
        add(
            "Cloud Run",
            "the description of its API",
            tool("python"),
            &[&script("cloud_run"), file],
        );
        let file = "deploy/azure-container-apps/app.yaml";
        add(
            "Azure Container Apps",
            "the models of its API",
            tool("python"),
            &[&script("container_apps"), file],
        );
        for (of, url, file) in [
            (
                "Railway",
                "https://railway.com/railway.schema.json",
                "deploy/railway/railway.json",
            ),
            (
                "Render",
                "https://render.com/schema/render.yaml.json",
                "deploy/render/render.yaml",
            ),
            (
                "SpinKube",
                "https://raw.githubusercontent.com/spinframework/spin-operator/main/config/crd/bases/core.spinkube.dev_spinapps.yaml",
                "deploy/spinkube/spinapp.yaml",
            ),
        ] {
            add(
                of,
                "the schema that it publishes",
                tool("python"),
                &[&script("published_schema"), url, file],
            );
        }
        let bills = bills();
        if !bills.is_empty() {
            let script = script("bill");
            let words: Vec<&str> = std::iter::once(&script)
                .chain(&bills)
                .map(String::as_str)
                .collect();
            add("bills of materials", "CycloneDX's schema", tool("python"), &words);
        }
    }
    add(
        "Kubernetes",
        "kubectl kustomize",
        "kubectl".to_owned(),
        &["kustomize", "deploy/kubernetes"],
    );
    let format = ["fmt", "-check", "-diff", "deploy/ecs-fargate"];
    add("ECS on Fargate", "terraform fmt", "terraform".to_owned(), &format);
    checks
}

/// The manifests of Kubernetes itself; kustomize reads the one beside them.
fn kubernetes() -> Vec<String> {
    let folder = std::fs::read_dir(root().join("deploy/kubernetes"));
    let paths = folder.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<String> = paths
        .filter(|path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "yaml")
                && path.file_stem().is_some_and(|stem| stem != "kustomization")
        })
        .map(|path| path.display().to_string())
        .collect();
    files.push("deploy/spinkube/tick.yaml".to_owned());
    files.sort();
    files
}

/// The bills of materials that have been made: the image's own, and what `cargo xtask sbom` wrote.
fn bills() -> Vec<String> {
    let written = std::fs::read_dir(root().join(sbom::FOLDER));
    let mut paths: Vec<PathBuf> = written
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .chain([image::default_folder().join(sbom::IN_IMAGE)])
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && path.is_file())
        .collect();
    paths.sort();
    paths.iter().map(|path| path.display().to_string()).collect()
}

fn run(words: &[String]) -> Outcome {
    let [name, arguments @ ..] = words else {
        return Outcome::Bad("there is nothing to run".to_owned());
    };
    match program(name).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => outcome(&output),
        Err(error) => Outcome::Skipped(format!("{name} cannot be started: {error}")),
    }
}

fn outcome(output: &Output) -> Outcome {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    match output.status.code() {
        Some(0) => Outcome::Good,
        Some(UNREACHABLE) => Outcome::Skipped(text.trim().to_owned()),
        _ => Outcome::Bad(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_no_success() {
        assert!(matches!(
            run(&["no-such-program".to_owned()]),
            Outcome::Skipped(_)
        ));
        assert!(matches!(run(&["false".to_owned()]), Outcome::Bad(_)));
        assert!(matches!(run(&["true".to_owned()]), Outcome::Good));
        let words = ["sh", "-c", "echo out of reach; exit 77"].map(str::to_owned);
        assert!(matches!(run(&words), Outcome::Skipped(text) if text == "out of reach"));
    }

    #[test]
    fn every_check_looks_at_files_that_are_there() {
        for check in checks(true) {
            let files = check
                .words
                .iter()
                .skip(1)
                .filter(|word| word.contains('/') && !word.contains("://"));
            for file in files {
                assert!(root().join(file).exists(), "{}: {file}", check.of);
            }
        }
        assert!(kubernetes().len() > 5, "{:?}", kubernetes());
    }
}
