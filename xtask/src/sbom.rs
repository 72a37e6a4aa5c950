//! Bills of materials, in CycloneDX 1.6 (ECMA-424): one for each module of the application, one for the image.
//!
//! A bill lists what is linked into the artifact, by cargo's own resolution for that package and target: crates with
//! the version, licence and SHA-256 that Cargo.lock and the registry have, and how they depend on each other. What only
//! runs while building (build scripts, procedural macros) is not in it. The same sources and artifacts give the same
//! bill: it holds no time and no random number.

mod crates;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::run::{root, step};
use crate::toolchain::COMPONENT_TARGET;
use crate::{image, manifest, no_arguments};
use crates::{Crates, Tree};

/// Where the image has its own bill.
pub const IN_IMAGE: &str = "usr/share/sbom/anyturn.cdx.json";

/// Where `cargo xtask sbom` writes.
pub const FOLDER: &str = "target/sbom";

/// `cargo xtask sbom`.
pub fn sbom(arguments: &[String]) -> Result<()> {
    no_arguments("sbom", arguments)?;
    image::image(&[])?;
    let folder = root().join(FOLDER);
    fs::create_dir_all(&folder)?;
    let crates = Crates::read()?;
    for module in manifest::read()?.modules() {
        let artifact = root().join(&module.path);
        let tree = crates.linked_into(&module.package, COMPONENT_TARGET)?;
        let name = file_name(&artifact);
        write(
            &folder.join(format!("{name}.cdx.json")),
            &Bill::of(&artifact, &tree)?.json(),
        )?;
    }
    let of_image = folder.join("image.cdx.json");
    fs::copy(image::default_folder().join(IN_IMAGE), &of_image)
        .context("the image has no bill of materials")?;
    eprintln!("written: {}", of_image.display());
    Ok(())
}

/// Puts the bill of an image that lies in a folder into it.
pub fn of_image(folder: &Path) -> Result<()> {
    step("Listing what the image is made of");
    let crates = Crates::read()?;
    let host = crates.linked_into("anyturn", &image::target()?)?;
    let mut bill = Bill {
        subject: json!({
            "type": "container",
            "bom-ref": "image",
            "name": "anyturn",
            "version": host.version,
        }),
        components: BTreeMap::new(),
        dependencies: BTreeMap::new(),
    };
    let mut parts = BTreeSet::new();
    parts.insert(bill.add(&folder.join("anyturn"), &host)?);
    for module in manifest::read()?.modules() {
        let tree = crates.linked_into(&module.package, COMPONENT_TARGET)?;
        parts.insert(bill.add(&folder.join("app").join(&module.path), &tree)?);
    }
    for package in packages(folder)? {
        parts.insert(bill.insert(package));
    }
    bill.dependencies.insert("image".to_owned(), parts);
    let path = folder.join(IN_IMAGE);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    write(&path, &bill.json())
}

/// A bill that is being made.
struct Bill {
    /// What the bill is of.
    subject: Value,
    components: BTreeMap<String, Value>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Bill {
    /// The bill of one artifact.
    fn of(artifact: &Path, tree: &Tree) -> Result<Self> {
        let mut bill = Self {
            subject: Value::Null,
            components: BTreeMap::new(),
            dependencies: BTreeMap::new(),
        };
        let reference = bill.add(artifact, tree)?;
        bill.subject = bill.components.remove(&reference).unwrap_or_default();
        Ok(bill)
    }

    /// Adds an artifact with the crates that are linked into it; returns its reference.
    fn add(&mut self, artifact: &Path, tree: &Tree) -> Result<String> {
        let name = file_name(artifact);
        let digest = digest(artifact)?;
        let reference = self.insert(json!({
            "type": "application",
            "bom-ref": format!("file:{name}"),
            "name": name,
            "version": tree.version,
            "licenses": [{ "expression": tree.license }],
            "hashes": [{ "alg": "SHA-256", "content": digest }],
        }));
        for linked in &tree.crates {
            self.insert(linked.json());
        }
        for (from, to) in &tree.edges {
            // The package itself stands for its artifact.
            let from = if *from == tree.root {
                reference.clone()
            } else {
                from.clone()
            };
            self.dependencies
                .entry(from)
                .or_default()
                .extend(to.iter().cloned());
        }
        Ok(reference)
    }

    fn insert(&mut self, component: Value) -> String {
        let reference = component
            .get("bom-ref")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        self.components.insert(reference.clone(), component);
        reference
    }

    fn json(self) -> Value {
        let dependencies: Vec<Value> = self
            .dependencies
            .into_iter()
            .map(|(from, to)| json!({ "ref": from, "dependsOn": to }))
            .collect();
        json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "tools": { "components": [{ "type": "application", "name": "cargo xtask sbom" }] },
                "component": self.subject,
            },
            "components": self.components.into_values().collect::<Vec<_>>(),
            "dependencies": dependencies,
        })
    }
}

/// The Debian packages that an image has files of, as it says itself.
fn packages(folder: &Path) -> Result<Vec<Value>> {
    let statuses = folder.join("var/lib/dpkg/status.d");
    if !statuses.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<PathBuf> = fs::read_dir(&statuses)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    paths
        .iter()
        .map(|path| Ok(package(&fs::read_to_string(path)?)))
        .collect()
}

/// A Debian package by its control fields.
fn package(status: &str) -> Value {
    let field = |name: &str| {
        let find = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned());
        status.lines().find_map(find).unwrap_or_default()
    };
    let (name, version, architecture) = (field("Package"), field("Version"), field("Architecture"));
    // In a package URL a plus sign has to be escaped.
    let purl = format!("pkg:deb/debian/{name}@{version}?arch={architecture}").replace('+', "%2B");
    json!({ "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl })
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The SHA-256 of a file, in hex.
pub fn digest(path: &Path) -> Result<String> {
    let content = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn write(path: &Path, bill: &Value) -> Result<()> {
    fs::write(path, format!("{bill:#}\n")).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debian_package_is_named_as_scanners_name_it() {
        let status = "Package: libgcc-s1\nStatus: install ok installed\nArchitecture: amd64\n\
                      Version: 12.2.0-14+deb12u1\nDescription: GCC support library\n";
        assert_eq!(
            package(status)["purl"],
            "pkg:deb/debian/libgcc-s1@12.2.0-14%2Bdeb12u1?arch=amd64"
        );
    }

    #[test]
    fn a_bill_names_every_crate_that_it_says_something_depends_on() {
        let tree = Crates::read()
            .unwrap()
            .linked_into("anyturn-web", COMPONENT_TARGET)
            .unwrap();
        let bill = Bill::of(&root().join("spin.toml"), &tree).unwrap().json();
        let named: BTreeSet<&str> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .chain([&bill["metadata"]["component"]])
            .map(|component| component["bom-ref"].as_str().unwrap())
            .collect();
        assert!(
            named.iter().any(|name| name.starts_with("pkg:cargo/spin-sdk@")),
            "{named:?}"
        );
        assert!(
            !named.iter().any(|name| name.contains("/syn@")),
            "syn runs while building only"
        );
        for dependency in bill["dependencies"].as_array().unwrap() {
            assert!(
                named.contains(dependency["ref"].as_str().unwrap()),
                "{dependency}"
            );
            for on in dependency["dependsOn"].as_array().unwrap() {
                assert!(named.contains(on.as_str().unwrap()), "{dependency}");
            }
        }
    }
}
