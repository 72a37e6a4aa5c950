//! Where every command finds the application, and how its variables get their values.

use crate::engine::Processor;
use crate::probe::Probe;
use anyhow::anyhow;
use anyturn_check::{Checked, Subject};
use anyturn_manifest::{Component, DependencyName, Findings, Inputs};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The packages that the host provides itself: the first one unless it is told not to.
const STATE: &str = "anyturn:state";
const TELEMETRY: &str = "anyturn:telemetry";

/// What says where the application is and how it is configured.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The application's manifest.
    #[arg(
        long,
        short = 'f',
        env = "ANYTURN_MANIFEST",
        default_value = "spin.toml",
        value_name = "FILE"
    )]
    pub(super) manifest: PathBuf,

    /// Keeps the embedded store and the compiled components.
    #[arg(
        long,
        env = "ANYTURN_DATA_DIR",
        default_value = ".anyturn",
        value_name = "DIRECTORY"
    )]
    pub(super) data_dir: PathBuf,

    /// Keeps what can be made again, the compiled components and the files that components see, elsewhere than in
    /// the data directory. Once everything is in it (`anyturn compile`), it may be read-only.
    #[arg(long, env = "ANYTURN_CACHE_DIR", value_name = "DIRECTORY")]
    cache_dir: Option<PathBuf>,

    /// The processors that components are compiled for: `native` for such as this machine's, `any` for every one of
    /// its architecture, as an image needs that is made on another machine than it runs on.
    #[arg(long, env = "ANYTURN_PROCESSOR", value_enum, default_value = "native")]
    pub(super) processor: Processor,

    /// The store: redis://[user:password@]host[:port][/database], redis-sentinel://host[:port],…/primary or
    /// redis-cluster://host[:port],…; rediss… for TLS. Without it (and REDIS_URL) the embedded one.
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,

    /// The private certificate authority of a Redis with TLS, in PEM. Without it the public ones are trusted.
    #[arg(long, env = "REDIS_CA_FILE", value_name = "FILE")]
    redis_ca_file: Option<PathBuf>,

    /// Sets an application variable: name=value, name=@file, @file.json or @file.toml.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variables: Vec<String>,

    /// Who provides anyturn:state.
    #[arg(long, env = "ANYTURN_STATE", value_enum, default_value = "host")]
    state: StateProvider,
}

/// Who provides the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StateProvider {
    /// This host: Redis or the embedded store, with connections that all instances share.
    Host,
    /// The component that the manifest names, as under Spin.
    Component,
}

impl Arguments {
    /// Where compiled components are kept.
    pub(super) fn compiled(&self) -> PathBuf {
        self.cache_dir
            .clone()
            .unwrap_or_else(|| self.data_dir.join("compiled"))
    }

    /// Where the files of components are put together.
    pub(super) fn files(&self) -> PathBuf {
        self.cache_dir.as_ref().unwrap_or(&self.data_dir).join("files")
    }

    /// Whether the host provides a dependency itself, so that the manifest's is left out.
    pub(super) fn provides(&self, dependency: &DependencyName) -> bool {
        match dependency.package().as_deref() {
            Some(STATE) => self.state == StateProvider::Host,
            Some(TELEMETRY) => true,
            _ => false,
        }
    }

    /// The store that components reach by themselves: the one that `redis_url` names, where a component's own dependency
    /// provides the state.
    pub(super) fn components_store(&self, checked: &Checked) -> Option<Probe> {
        let is_state = |name: &DependencyName| name.package().as_deref() == Some(STATE);
        let plugged = checked
            .application
            .triggered()
            .flat_map(Component::dependencies)
            .any(|dependency| is_state(dependency.name()) && !self.provides(dependency.name()));
        plugged
            .then(|| Probe::new(checked.values.text("redis_url")))
            .flatten()
    }

    /// Reads and checks the application as it would be served at `listen`.
    pub(super) fn check(&self, listen: IpAddr) -> Result<(Checked, Findings), Findings> {
        let mut inputs = Inputs::from_process();
        for variable in &self.variables {
            inputs.flag(variable);
        }
        if let Some(url) = &self.redis_url {
            inputs.flag(&format!("redis_url={url}"));
        }
        anyturn_check::check(&Subject {
            manifest: &self.manifest,
            inputs: &inputs,
            listen,
            provided: &|dependency| self.provides(dependency),
            redis_ca_file: self.redis_ca_file.as_deref(),
        })
    }
}

/// Findings as one error, all of them.
pub(super) fn error_of(findings: &Findings, manifest: &Path) -> anyhow::Error {
    anyhow!("{} cannot be served as it is:\n{findings}", manifest.display())
}
