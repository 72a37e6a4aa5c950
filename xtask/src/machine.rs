//! The programs that tests need besides Rust: installed where that is allowed, else named exactly.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::run::{on_path, program, root, step, success};

/// A program from outside, and the packages that bring it.
#[derive(Clone, Copy)]
pub struct Program {
    /// Any one of these on the `PATH` will do.
    names: &'static [&'static str],
    /// Any one of these files will do, too.
    files: &'static [&'static str],
    /// Package of Debian and Ubuntu.
    apt: &'static str,
    /// Arguments of `brew install`.
    brew: &'static [&'static str],
}

/// The store.
pub const REDIS: Program = Program {
    names: &["redis-server"],
    files: &[],
    apt: "redis-server",
    brew: &["redis"],
};

/// The browser that the chat page is tested in.
const BROWSER: Program = Program {
    names: &[
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ],
    files: &["/Applications/Google Chrome.app", "/Applications/Chromium.app"],
    apt: "chromium",
    brew: &["--cask", "google-chrome"],
};

/// What drives the browser.
const DRIVER: Program = Program {
    names: &["chromedriver"],
    files: &[],
    apt: "chromium-driver",
    brew: &["--cask", "chromedriver"],
};

/// For the official OpenAI client and the official MCP servers, which are tested as they are.
const PYTHON: Program = Program {
    names: &["python3"],
    files: &[],
    apt: "python3",
    brew: &["python"],
};

/// The oldest Redis that has all the commands that are used.
const OLDEST_REDIS: u32 = 7;

/// Everything that `cargo xtask test` needs.
pub const FOR_TESTS: [Program; 4] = [REDIS, BROWSER, DRIVER, PYTHON];

/// What `cargo xtask e2e` needs where it starts a deployment.
pub const FOR_E2E: [Program; 2] = [REDIS, PYTHON];

/// Makes sure that the programs are there.
pub fn require(programs: &[Program]) -> Result<()> {
    let missing: Vec<Program> = programs
        .iter()
        .filter(|program| !program.is_there())
        .copied()
        .collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    if let Some(version) = redis_major()
        && version < OLDEST_REDIS
    {
        bail!(
            "redis-server is of version {version}, and the tests need {OLDEST_REDIS}.0 or later; see https://redis.io/docs/latest/operate/oss_and_stack/install/"
        );
    }
    Ok(())
}

impl Program {
    fn is_there(&self) -> bool {
        self.names.iter().any(|name| on_path(name)) || self.files.iter().any(|file| Path::new(file).exists())
    }
}

/// Installs packages with what the machine has: apt-get (as root or by sudo without a password) or Homebrew.
fn install(missing: &[Program]) -> Result<()> {
    let names = missing
        .iter()
        .filter_map(|p| p.names.first().copied())
        .collect::<Vec<_>>()
        .join(", ");
    step(&format!("Installing {names}"));
    let apt: Vec<&str> = missing.iter().map(|program| program.apt).collect();
    if on_path("apt-get") {
        let by_hand = format!("install them yourself: sudo apt-get install {}", apt.join(" "));
        let Some(prefix) = privileges() else {
            bail!(
                "{names} are missing, and neither root nor sudo without a password is available; {by_hand}"
            );
        };
        let apt_get = |arguments: &[&str]| {
            let mut words = prefix.iter().copied().chain(["apt-get"]);
            let mut command = program(words.next().unwrap_or("apt-get"));
            command.args(words).args(["-q", "-y"]).args(arguments);
            command
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdin(Stdio::null());
            finish(command)
        };
        apt_get(&["update"]).with_context(|| by_hand.clone())?;
        return apt_get(&[&["install", "--no-install-recommends"], apt.as_slice()].concat()).context(by_hand);
    }
    if on_path("brew") {
        for each in missing {
            let mut command = program("brew");
            command.arg("install").args(each.brew).stdin(Stdio::null());
            finish(command)
                .with_context(|| format!("install it yourself: brew install {}", each.brew.join(" ")))?;
        }
        return Ok(());
    }
    bail!(
        "{names} are missing, and there is neither apt-get nor brew to install them; install them and try again"
    )
}

fn finish(mut command: Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("{name} cannot be started"))?;
    success(status).with_context(|| format!("{name} failed"))
}

/// What to put before a command that needs root; `None` where that is not to be had without a question.
fn privileges() -> Option<Vec<&'static str>> {
    let ask = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
    };
    let root = ask("id", &["-u"]).is_some_and(|output| output.stdout.trim_ascii() == b"0");
    if root {
        return Some(Vec::new());
    }
    ask("sudo", &["-n", "true"])
        .is_some_and(|output| output.status.success())
        .then(|| vec!["sudo", "-n"])
}

fn redis_major() -> Option<u32> {
    let output = Command::new("redis-server").arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// The major version in `Redis server v=7.0.15 sha=…`.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("v=")?;
    version.split('.').next()?.parse().ok()
}

/// The Python environments under `target/`, where the tests look for them, and what is installed in each.
const ENVIRONMENTS: [(&str, &str); 2] = [
    ("target/clients", "tests/clients/requirements.txt"),
    ("target/clients-2025", "tests/clients/requirements-2025.txt"),
];

/// Keeps Python environments with the official OpenAI client and the official MCP SDKs.
pub fn clients() -> Result<()> {
    ENVIRONMENTS.iter().try_for_each(|(environment, requirements)| {
        keep(&root().join(environment), &root().join(requirements))
    })
}

/// Keeps what deployments are checked by under `target/validators`.
pub fn validators() -> Result<()> {
    keep(
        &root().join("target/validators"),
        &root().join("tests/validators/requirements.txt"),
    )
}

/// Keeps a Python environment with what a file lists.
fn keep(environment: &PathBuf, requirements: &Path) -> Result<()> {
    let wanted =
        std::fs::read(requirements).with_context(|| format!("{} cannot be read", requirements.display()))?;
    let installed = environment.join("installed.txt");
    if std::fs::read(&installed).is_ok_and(|present| present == wanted) {
        return Ok(());
    }
    let packages = String::from_utf8_lossy(&wanted)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join(" and ");
    step(&format!("Installing {packages} for Python"));
    create(environment)?;
    let mut pip = program(environment.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ])
    .arg(requirements)
    .stdin(Stdio::null());
    finish(pip)
        .with_context(|| format!("{packages} cannot be installed; is the Python package index reachable?"))?;
    std::fs::write(&installed, wanted).with_context(|| format!("{} cannot be written", installed.display()))
}

/// A new environment. Debian leaves the module for it out of its Python.
fn create(environment: &PathBuf) -> Result<()> {
    let attempt = || {
        let mut venv = program("python3");
        venv.args(["-m", "venv", "--clear"])
            .arg(environment)
            .stdin(Stdio::null());
        finish(venv)
    };
    if attempt().is_ok() {
        return Ok(());
    }
    let module = Program {
        names: &["python3-venv"],
        files: &[],
        apt: "python3-venv",
        brew: &["python"],
    };
    install(&[module])?;
    attempt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_redis_is_found_in_its_greeting() {
        assert_eq!(
            major("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
            Some(7)
        );
        assert_eq!(major("Valkey server v=8.0.1 sha=0"), Some(8));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn a_program_is_looked_for_on_the_path_and_among_files() {
        let absent = Program {
            names: &["no-such-program"],
            files: &["/no/such/file"],
            apt: "",
            brew: &[],
        };
        assert!(!absent.is_there());
        assert!(
            Program {
                files: &["/"],
                ..absent
            }
            .is_there()
        );
        assert!(
            Program {
                names: &["no-such-program", "cargo"],
                ..absent
            }
            .is_there()
        );
    }
}
