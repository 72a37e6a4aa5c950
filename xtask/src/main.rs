//! `cargo xtask …`: sets the machine up, builds, runs, tests and measures. `cargo xtask help` lists what there is.
//!
//! It adds what cargo alone cannot know: that components are built for another target with another profile, which
//! programs the tests need, and in which order. What is there already is not done again; a second start costs
//! cargo's own freshness check.

mod artifacts;
mod deny;
mod deploy;
mod e2e;
mod examples;
mod image;
mod machine;
mod manifest;
mod reproducible;
mod run;
mod sbom;
mod toolchain;
mod verify;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::artifacts::Profile;
use crate::run::Cargo;

/// A subcommand: its name, what it takes, what it does in a line, and the doing.
struct Command {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const COMMANDS: [Command; 14] = [
    Command {
        name: "up",
        arguments: "[arguments of `anyturn up`]",
        about: "Build what changed and serve on http://127.0.0.1:3000",
        run: up,
    },
    Command {
        name: "build",
        arguments: "[--examples]",
        about: "Build the components and the host (target/release/anyturn); with --examples, the examples and the adapters for other hosts too",
        run: build,
    },
    Command {
        name: "check",
        arguments: "[arguments of `anyturn check`]",
        about: "Check spin.toml, the assistants and the environment",
        run: check,
    },
    Command {
        name: "test",
        arguments: "[filter] [-- arguments of the test runner]",
        about: "Run all tests, the end-to-end ones included; install what they need where that is allowed",
        run: verify::test,
    },
    Command {
        name: "lint",
        arguments: "",
        about: "Check formatting, clippy's lints and the documentation; warnings are errors",
        run: verify::lint,
    },
    Command {
        name: "bench",
        arguments: "[--dist] [trivial|turns|app|steps|streams|sockets|start …]",
        about: "Measure speed: print a table and write JSON; with --dist, of the host as the image has it",
        run: bench,
    },
    Command {
        name: "chaos",
        arguments: "[--kills N] [--minutes M] [--seed S]",
        about: "Kill instances at random while clients talk; count what is lost or done twice",
        run: chaos,
    },
    Command {
        name: "e2e",
        arguments: "[--url URL | --spin] [arguments of `anyturn-e2e`]",
        about: "Check what the public API promises: against any deployment, under Spin, or against the host",
        run: e2e::e2e,
    },
    Command {
        name: "image",
        arguments: "[folder]",
        about: "Put what the container image holds into a folder (target/image), as the Dockerfile does",
        run: image::image,
    },
    Command {
        name: "deny",
        arguments: "",
        about: "Check licences, sources, bans and advisories of dependencies by cargo-deny, which it installs",
        run: deny::deny,
    },
    Command {
        name: "deploy-check",
        arguments: "",
        about: "Check the files of deployments by the platforms' own schemas",
        run: deploy::check,
    },
    Command {
        name: "reproducible",
        arguments: "",
        about: "Build the components once more, elsewhere and with nothing cached, and compare them bit by bit",
        run: reproducible::reproducible,
    },
    Command {
        name: "sbom",
        arguments: "",
        about: "Write bills of materials (CycloneDX) of the components and the image to target/sbom",
        run: sbom::sbom,
    },
    Command {
        name: "help",
        arguments: "",
        about: "Show this",
        run: help,
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    let name = match name.as_str() {
        "-h" | "--help" => "help",
        name => name,
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("error: there is no `cargo xtask {name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (command.run)(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut text = "Usage: cargo xtask <command>\n".to_owned();
    for Command {
        name,
        arguments,
        about,
        ..
    } in &COMMANDS
    {
        text.push_str(&format!(
            "\n  {:<60}{about}",
            format!("{name} {arguments}").trim_end()
        ));
    }
    text
}

fn help(_: &[String]) -> Result<()> {
    println!("{}", usage());
    Ok(())
}

/// Refuses arguments where none are taken, rather than ignore what was meant.
fn no_arguments(command: &str, arguments: &[String]) -> Result<()> {
    if let Some(argument) = arguments.first() {
        bail!("`cargo xtask {command}` takes no arguments, but got `{argument}`");
    }
    Ok(())
}

fn up(arguments: &[String]) -> Result<()> {
    toolchain::ensure()?;
    artifacts::components(&[])?;
    let host = artifacts::host(Profile::Release)?;
    run::replace(&host, "up", arguments)
}

fn build(arguments: &[String]) -> Result<()> {
    let (examples, others): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|one| one == "--examples");
    no_arguments("build", &others)?;
    toolchain::ensure()?;
    let with_examples = !examples.is_empty();
    artifacts::components(if with_examples {
        &artifacts::OTHER_COMPONENTS
    } else {
        &[]
    })?;
    let host = artifacts::host(Profile::Release)?;
    if with_examples {
        examples::build()?;
    }
    eprintln!("built: the components and {}", host.display());
    Ok(())
}

fn check(arguments: &[String]) -> Result<()> {
    toolchain::ensure()?;
    artifacts::components(&[])?;
    let host = artifacts::host(Profile::Release)?;
    run::replace(&host, "check", arguments)
}

fn bench(arguments: &[String]) -> Result<()> {
    toolchain::ensure()?;
    machine::require(&[machine::REDIS])?;
    let (profile, parts) = match arguments {
        [first, parts @ ..] if first == "--dist" => (Profile::Dist, parts),
        parts => (Profile::Release, parts),
    };
    artifacts::components(&artifacts::TEST_COMPONENTS)?;
    let host = artifacts::host(profile)?;
    run::step("Building the benchmark");
    Cargo::new(["build", "--release", "-p", "anyturn-bench"]).run()?;
    let bench = artifacts::binary("anyturn-bench");
    run::program(&bench)
        .env("ANYTURN_TEST_BINARY", host)
        .args(parts)
        .status()
        .context("anyturn-bench cannot be started")
        .and_then(run::success)
}

fn chaos(arguments: &[String]) -> Result<()> {
    toolchain::ensure()?;
    machine::require(&[machine::REDIS])?;
    artifacts::components(&[])?;
    artifacts::host(Profile::Release)?;
    run::step("Building the clients");
    // In the profile of the tests, whose fixtures they are made of.
    Cargo::new(["build", "-p", "anyturn-chaos"]).run()?;
    let clients = artifacts::test_binary("anyturn-chaos");
    run::program(&clients)
        .args(arguments)
        .status()
        .context("anyturn-chaos cannot be started")
        .and_then(run::success)
}
