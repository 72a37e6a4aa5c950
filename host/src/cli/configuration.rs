//! Where every command finds the application, and how its variables get their values.

use anyhow::{Result, anyhow};
use anyturn_manifest::{Application, Findings, Inputs, Values};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Url;

/// What says where the application is and how it is configured.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The application's manifest.
    #[arg(long, short = 'f', env = "ANYTURN_MANIFEST", default_value = "spin.toml", value_name = "FILE")]
    pub(super) manifest: PathBuf,

    /// Keeps the embedded store and the compiled components.
    #[arg(long, env = "ANYTURN_DATA_DIR", default_value = ".anyturn", value_name = "DIRECTORY")]
    pub(super) data_dir: PathBuf,

    /// Keeps the compiled components elsewhere than in the data directory.
    #[arg(long, env = "ANYTURN_CACHE_DIR", value_name = "DIRECTORY")]
    cache_dir: Option<PathBuf>,

    /// The store: redis://[user:password@]host[:port][/database]. Without it (and REDIS_URL) the embedded one.
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,

    /// Sets an application variable: name=value, name=@file, @file.json or @file.toml.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variables: Vec<String>,
}

/// An application with values for its variables.
pub(super) struct Configured {
    pub(super) application: Application,
    pub(super) values: Values,
    pub(super) warnings: Findings,
    /// Whether anybody has to say who they are: a secret for tokens or API keys are set.
    pub(super) authenticated: bool,
}

impl Arguments {
    /// Where compiled components are kept.
    pub(super) fn compiled(&self) -> PathBuf {
        self.cache_dir.clone().unwrap_or_else(|| self.data_dir.join("compiled"))
    }

    /// Where the files of components are put together.
    pub(super) fn files(&self) -> PathBuf {
        self.data_dir.join("files")
    }

    /// Reads the manifest and finds the variables' values. The variables that the host works out are worked
    /// out for an application that listens at `listen`.
    pub(super) fn read(&self, listen: Option<SocketAddr>) -> Result<Configured, Findings> {
        let (application, mut warnings) = anyturn_manifest::load(&self.manifest)?;
        let mut inputs = Inputs::from_environment(std::env::vars());
        for variable in &self.variables {
            inputs.flag(variable);
        }
        if let Some(url) = &self.redis_url {
            inputs.flag(&format!("redis_url={url}"));
        }
        let (mut values, more) = application.values(&inputs)?;
        warnings.extend(more);
        work_out(&mut values);
        let authenticated = ["jwt_secret", "api_keys"].iter().any(|name| !values.text(name).is_empty());
        if !authenticated
            && listen.is_some_and(|address| address.ip().is_loopback())
            && values.get("development_user").is_some_and(|user| user.expose().is_empty())
        {
            values.set("development_user", "local");
        }
        Ok(Configured { application, values, warnings, authenticated })
    }
}

/// Works out the addresses that components may reach from the addresses that they are told.
fn work_out(values: &mut Values) {
    for (origin, url) in [("redis_origin", "redis_url"), ("llm_origin", "llm_base_url")] {
        if values.text(origin).is_empty()
            && let Some(found) = origin_of(values.text(url))
        {
            values.set(origin, found);
        }
    }
}

/// An address without its credentials, path and query.
fn origin_of(url: &str) -> Option<String> {
    let url: Url = url.parse().ok()?;
    let host = url.host_str()?;
    let port = url.port().or_else(|| match url.scheme() {
        "redis" | "rediss" => Some(6379),
        _ => None,
    });
    Some(match port {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    })
}

impl Configured {
    /// Refuses to let strangers in who cannot be told apart.
    pub(super) fn may_listen_at(&self, address: SocketAddr) -> Result<()> {
        let identifies = self.values.get("jwt_secret").is_some() || self.values.get("api_keys").is_some();
        if !identifies || self.authenticated || address.ip().is_loopback() {
            return Ok(());
        }
        Err(anyhow!(
            "{address} can be reached from other machines, and nothing is configured by which users are told \
             apart.\n  Set JWT_SECRET (tokens of your identity provider, HS256) or API_KEYS (`anyturn key new \
             --user NAME` makes one), or listen at 127.0.0.1 only."
        ))
    }

    /// The model provider and the model, for people.
    pub(super) fn model(&self) -> (String, String) {
        let text = |name: &str| self.values.text(name).to_owned();
        let chosen = match text("llm_provider").as_str() {
            "" | "auto" => [
                ("llm_base_url", "openai-compatible"),
                ("llm_api_key", "openai"),
                ("openai_api_key", "openai"),
                ("groq_api_key", "groq"),
                ("gemini_api_key", "gemini"),
            ]
            .into_iter()
            .find(|(variable, _)| !self.values.text(variable).is_empty())
            .map_or("offline", |(_, provider)| provider)
            .to_owned(),
            chosen => chosen.to_owned(),
        };
        (chosen, text("llm_model"))
    }
}

/// Findings as one error, all of them.
pub(super) fn error_of(findings: &Findings, manifest: &Path) -> anyhow::Error {
    anyhow!("{} cannot be served as it is:\n{findings}", manifest.display())
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn an_origin_has_no_credentials_and_no_path() {
        let origin = |url: &str| origin_of(url).unwrap_or_default();
        assert_eq!(origin("redis://user:secret@db.example:6380/2"), "redis://db.example:6380");
        assert_eq!(origin("rediss://db.example"), "rediss://db.example:6379");
        assert_eq!(origin("http://localhost:11434/v1"), "http://localhost:11434");
        assert_eq!(origin("https://api.example.com/v1"), "https://api.example.com");
        assert_eq!(origin(""), "");
    }
}
