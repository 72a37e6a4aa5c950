//! What platforms ask for, as data: the file that comes with the program, or the user's own.

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file that comes with the program.
const INCLUDED: &str = include_str!("../../../prices.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    platform: Vec<Platform>,
}

/// A platform, and what it asks for, in US dollars.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Platform {
    pub(super) name: String,
    /// What the price is for.
    #[serde(default)]
    pub(super) note: String,
    /// Where the price is published.
    pub(super) source: String,
    /// When that was looked at last.
    pub(super) date: String,
    #[serde(flatten)]
    pub(super) billing: Billing,
}

/// How a platform counts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "billing", rename_all = "lowercase")]
pub(super) enum Billing {
    /// By what instances have, while they run.
    Allocated {
        #[serde(flatten)]
        size: Size,
        #[serde(flatten)]
        rates: Rates,
    },
    /// By what instances use.
    Used {
        #[serde(flatten)]
        size: Size,
        #[serde(flatten)]
        rates: Rates,
    },
    /// By the instance.
    Instance {
        #[serde(flatten)]
        size: Size,
        instance_month: f64,
        /// Whether instances are only paid for while they run.
        #[serde(default)]
        scales: bool,
        /// What is paid whatever runs.
        #[serde(default)]
        month: f64,
    },
    /// Nobody says.
    Ask,
}

/// What an instance has.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Size {
    pub(super) vcpu: f64,
    pub(super) gib: f64,
}

/// What is paid for what.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Rates {
    pub(super) vcpu_hour: f64,
    pub(super) gib_hour: f64,
    #[serde(default)]
    pub(super) million_requests: f64,
    /// What is paid whatever runs.
    #[serde(default)]
    pub(super) month: f64,
    /// What is paid at least.
    #[serde(default)]
    pub(super) minimum_month: f64,
}

impl Platform {
    /// What an instance has; none where there are no instances to be counted.
    pub(super) fn size(&self) -> Option<Size> {
        match &self.billing {
            Billing::Allocated { size, .. } | Billing::Used { size, .. } | Billing::Instance { size, .. } => {
                Some(*size)
            }
            Billing::Ask => None,
        }
    }
}

/// All platforms of a file, or of the one that comes with the program.
pub(super) fn load(file: Option<&Path>) -> Result<Vec<Platform>> {
    match file {
        None => parse(INCLUDED).context("the prices that come with the program"),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            parse(&text).with_context(|| format!("{}", path.display()))
        }
    }
}

fn parse(text: &str) -> Result<Vec<Platform>> {
    let File { platform: platforms } = toml::from_str(text)?;
    for platform in &platforms {
        if let Some(Size { vcpu, gib }) = platform.size()
            && !(vcpu > 0.0 && gib > 0.0)
        {
            bail!("{}: `vcpu` and `gib` must be more than 0", platform.name);
        }
    }
    Ok(platforms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_that_comes_with_the_program_says_where_it_is_from_and_when_it_was_looked_at() {
        let platforms = load(None).unwrap();
        for named in [
            "Cloud Run",
            "ECS Fargate",
            "ECS Fargate Spot",
            "App Runner",
            "Azure Container Apps",
        ] {
            assert!(platforms.iter().any(|platform| platform.name == named), "{named}");
        }
        for Platform {
            name, source, date, ..
        } in &platforms
        {
            assert!(source.starts_with("https://"), "{name}: {source}");
            assert!(date.parse::<jiff::civil::Date>().is_ok(), "{name}: {date}");
        }
    }

    #[test]
    fn a_price_that_makes_no_sense_is_named() {
        let platform = "[[platform]]\nname = \"Mine\"\nsource = \"s\"\ndate = \"2026-01-01\"\n";
        let nothing =
            format!("{platform}billing = \"instance\"\nvcpu = 0.0\ngib = 1.0\ninstance_month = 5.0\n");
        assert!(format!("{:#}", parse(&nothing).unwrap_err()).contains("Mine"));
        let unknown = format!("{platform}billing = \"barter\"\n");
        assert!(format!("{:#}", parse(&unknown).unwrap_err()).contains("barter"));
    }
}
