//! The crates that are linked into an artifact, as cargo resolves them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use toml::Table;

use crate::run::{Cargo, root};

/// SHA-256 of the crates that come from a registry, by name and version.
pub struct Crates(BTreeMap<(String, String), String>);

/// A crate in a bill.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    name: String,
    version: String,
    /// An SPDX expression.
    license: String,
    sha256: Option<String>,
}

/// What is linked into the artifact of one package.
pub struct Tree {
    /// The reference of the package itself.
    pub root: String,
    /// Its version.
    pub version: String,
    /// Its licence, an SPDX expression.
    pub license: String,
    /// Everything below it.
    pub crates: BTreeSet<Crate>,
    /// Who depends on whom, by reference.
    pub edges: BTreeMap<String, BTreeSet<String>>,
}

impl Crates {
    /// Reads Cargo.lock.
    pub fn read() -> Result<Self> {
        let lock: Table = std::fs::read_to_string(root().join("Cargo.lock"))
            .context("Cargo.lock cannot be read")?
            .parse()?;
        let packages = lock.get("package").and_then(toml::Value::as_array);
        let entries = packages.into_iter().flatten().filter_map(|package| {
            let field = |name: &str| Some(package.get(name)?.as_str()?.to_owned());
            Some(((field("name")?, field("version")?), field("checksum")?))
        });
        Ok(Self(entries.collect()))
    }

    /// What a package is linked of, for a target.
    pub fn linked_into(&self, package: &str, target: &str) -> Result<Tree> {
        let text = Cargo::new(["tree", "--package", package, "--target", target])
            .args([
                "--edges",
                "no-build,no-dev,no-proc-macro",
                "--prefix",
                "depth",
                "--format",
                "|{p}|{l}",
            ])
            .output()?;
        self.tree(&text)
            .with_context(|| format!("`cargo tree --package {package}` says something else than expected"))
    }

    /// Reads lines such as `2|http v1.5.0|MIT OR Apache-2.0 (*)`: depth, crate, licence, and `(*)` where the crate
    /// was listed with all below it before.
    fn tree(&self, text: &str) -> Result<Tree> {
        let mut path: Vec<Crate> = Vec::new();
        let mut crates = BTreeSet::new();
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut first: Option<Crate> = None;
        for line in text.lines() {
            let mut fields = line.splitn(3, '|');
            let (Some(depth), Some(name), Some(license)) = (fields.next(), fields.next(), fields.next())
            else {
                bail!("{line:?} has not three fields");
            };
            let found = self.found(name, license)?;
            path.truncate(depth.parse().with_context(|| format!("{depth:?} is no depth"))?);
            let reference = found.reference();
            edges.entry(reference.clone()).or_default();
            match path.last() {
                Some(parent) => {
                    edges.entry(parent.reference()).or_default().insert(reference);
                    crates.insert(found.clone());
                }
                None => first = Some(found.clone()),
            }
            path.push(found);
        }
        let first = first.context("it lists nothing")?;
        Ok(Tree {
            root: first.reference(),
            version: first.version,
            license: first.license,
            crates,
            edges,
        })
    }

    /// A crate by what `cargo tree` says: `http v1.5.0` or `anyturn-web v0.1.0 (/path)`, and a licence.
    fn found(&self, name: &str, license: &str) -> Result<Crate> {
        let mut words = name.split(' ');
        let (Some(name), Some(version)) =
            (words.next(), words.next().and_then(|word| word.strip_prefix('v')))
        else {
            bail!("{name:?} is no crate with a version");
        };
        let (name, version) = (name.to_owned(), version.to_owned());
        let license = license.trim_end_matches(" (*)").trim();
        if license.is_empty() {
            bail!("{name} {version} names no licence");
        }
        Ok(Crate {
            sha256: self.0.get(&(name.clone(), version.clone())).cloned(),
            // How two licences to choose from were written before SPDX expressions.
            license: license.replace('/', " OR "),
            name,
            version,
        })
    }
}

impl Crate {
    /// Its package URL, by which a bill refers to it.
    fn reference(&self) -> String {
        // In a package URL a plus sign has to be escaped.
        format!("pkg:cargo/{}@{}", self.name, self.version.replace('+', "%2B"))
    }

    /// Its entry in a bill.
    pub fn json(&self) -> Value {
        let hashes: Vec<Value> = self
            .sha256
            .iter()
            .map(|digest| json!({ "alg": "SHA-256", "content": digest }))
            .collect();
        json!({
            "type": "library",
            "bom-ref": self.reference(),
            "name": self.name,
            "version": self.version,
            "purl": self.reference(),
            "licenses": [{ "expression": self.license }],
            "hashes": hashes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_with_what_was_listed_before() {
        let crates = Crates([(("b".to_owned(), "2.0.0+x".to_owned()), "00ff".to_owned())].into());
        let text = "0|a v1.0.0 (/somewhere)|Apache-2.0\n1|b v2.0.0+x|MIT/Apache-2.0\n2|c v3.0.0|MIT\n\
                    1|c v3.0.0|MIT (*)\n";
        let tree = crates.tree(text).unwrap();
        assert_eq!(tree.root, "pkg:cargo/a@1.0.0");
        let below = |reference: &str| tree.edges[reference].iter().cloned().collect::<Vec<_>>();
        assert_eq!(
            below("pkg:cargo/a@1.0.0"),
            ["pkg:cargo/b@2.0.0%2Bx", "pkg:cargo/c@3.0.0"]
        );
        assert_eq!(below("pkg:cargo/b@2.0.0%2Bx"), ["pkg:cargo/c@3.0.0"]);
        let b = tree.crates.first().unwrap().json();
        assert_eq!(b["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(b["hashes"][0]["content"], "00ff");
    }

    #[test]
    fn a_crate_without_a_licence_is_not_passed_over() {
        let crates = Crates(BTreeMap::new());
        assert!(crates.tree("0|a v1.0.0|").is_err());
        assert!(crates.tree("").is_err());
    }
}
