//! What a component imports from other components, and what of its own configuration those may use.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use semver::{BuildMetadata, Prerelease, Version};

use crate::finding::Place;
use crate::names::{InvalidName, check};

/// The name of an import: `anyturn:state`, `anyturn:state/store@0.1.0`, or a plain `state`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DependencyName {
    /// An import that is no interface of a package.
    Plain(String),
    /// All interfaces of a package, or one.
    Package(PackageName),
}

/// A WIT package or one of its interfaces, as the component model's grammar spells it: `ns:name[/interface][@version]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName {
    namespace: String,
    name: String,
    interface: Option<String>,
    version: Option<Version>,
}

/// Why a text is no name of an import.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDependencyName {
    /// A part is no kebab-case identifier.
    #[error("`{part}`: {reason}")]
    Part {
        /// The part that is wrong.
        part: String,
        /// What is wrong with it.
        reason: InvalidName,
    },
    /// There is an interface but no package.
    #[error("has no package before the `/`")]
    NoPackage,
    /// What follows `@` is no version.
    #[error("`{0}` is not a semantic version")]
    Version(String),
}

impl FromStr for DependencyName {
    type Err = InvalidDependencyName;

    fn from_str(text: &str) -> Result<Self, InvalidDependencyName> {
        if !text.contains([':', '/']) {
            return kebab(text).map(Self::Plain);
        }
        let (path, version) = match text.split_once('@') {
            None => (text, None),
            Some((path, version)) => {
                let parsed = version
                    .parse()
                    .map_err(|_| InvalidDependencyName::Version(version.to_owned()))?;
                (path, Some(parsed))
            }
        };
        let (package, interface) = match path.split_once('/') {
            None => (path, None),
            Some((package, interface)) => (package, Some(kebab(interface)?)),
        };
        let (namespace, name) = package.split_once(':').ok_or(InvalidDependencyName::NoPackage)?;
        Ok(Self::Package(PackageName {
            namespace: kebab(namespace)?,
            name: kebab(name)?,
            interface,
            version,
        }))
    }
}

fn kebab(part: &str) -> Result<String, InvalidDependencyName> {
    match check(part, '-', '_', false) {
        Ok(()) => Ok(part.to_owned()),
        Err(reason) => Err(InvalidDependencyName::Part {
            part: part.to_owned(),
            reason,
        }),
    }
}

impl fmt::Display for DependencyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(name) => f.write_str(name),
            Self::Package(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)?;
        if let Some(interface) = &self.interface {
            write!(f, "/{interface}")?;
        }
        if let Some(version) = &self.version {
            write!(f, "@{version}")?;
        }
        Ok(())
    }
}

impl DependencyName {
    /// `ns:name` of the package, without interface and version.
    pub fn package(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Package(name) => Some(format!("{}:{}", name.namespace, name.name)),
        }
    }

    /// Whether it names every interface of a package.
    pub(crate) fn is_whole_package(&self) -> bool {
        matches!(self, Self::Package(name) if name.interface.is_none())
    }

    /// Whether both could be meant to satisfy one import.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (Self::Package(a), Self::Package(b)) = (self, other) else {
            return false;
        };
        if (&a.namespace, &a.name) != (&b.namespace, &b.name) {
            return false;
        }
        let other_version = matches!((&a.version, &b.version), (Some(a), Some(b)) if track(a) != track(b));
        let other_interface = matches!((&a.interface, &b.interface), (Some(a), Some(b)) if a != b);
        !other_version && !other_interface
    }

    /// Whether an import of this full name (`ns:name/interface@version`) is meant. A name without interface or version
    /// means all of them; versions of one semver track are the same.
    ///
    /// ```
    /// use anyturn_manifest::DependencyName;
    ///
    /// let state: DependencyName = "anyturn:state".parse()?;
    /// assert!(state.covers("anyturn:state/store@0.1.0"));
    /// assert!(!state.covers("anyturn:model/model@0.1.0"));
    /// # Ok::<(), anyturn_manifest::InvalidDependencyName>(())
    /// ```
    pub fn covers(&self, import: &str) -> bool {
        match (self, import.parse()) {
            (Self::Plain(name), _) => name == import,
            (Self::Package(_), Ok(import)) => self.overlaps(&import),
            (Self::Package(_), Err(_)) => false,
        }
    }
}

/// The part of a version that compatible versions share.
fn track(version: &Version) -> Version {
    let mut version = Version {
        build: BuildMetadata::EMPTY,
        ..version.clone()
    };
    if version.pre == Prerelease::EMPTY {
        if version.major > 0 {
            version.minor = 0;
        }
        if version.major > 0 || version.minor > 0 {
            version.patch = 0;
        }
    }
    version
}

/// A kind of configuration that a dependency may take over from its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Configuration {
    /// Language models of the host.
    AiModels,
    /// Outgoing connections: HTTP, Redis, sockets.
    AllowedOutboundHosts,
    /// Environment variables and arguments.
    Environment,
    /// Mounted files.
    Files,
    /// Key-value stores.
    KeyValueStores,
    /// SQLite databases.
    SqliteDatabases,
    /// Component variables.
    Variables,
}

impl Configuration {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 7] = [
        Self::AiModels,
        Self::AllowedOutboundHosts,
        Self::Environment,
        Self::Files,
        Self::KeyValueStores,
        Self::SqliteDatabases,
        Self::Variables,
    ];

    /// The name in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AiModels => "ai_models",
            Self::AllowedOutboundHosts => "allowed_outbound_hosts",
            Self::Environment => "environment",
            Self::Files => "files",
            Self::KeyValueStores => "key_value_stores",
            Self::SqliteDatabases => "sqlite_databases",
            Self::Variables => "variables",
        }
    }

    /// The configuration of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|configuration| configuration.name() == name)
    }
}

/// What a dependency takes over from its parent; nothing unless the manifest says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherit(BTreeSet<Configuration>);

impl Inherit {
    /// Everything.
    pub fn all() -> Self {
        Self(Configuration::ALL.into())
    }

    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether the dependency may use its parent's `configuration`.
    pub fn contains(&self, configuration: Configuration) -> bool {
        self.0.contains(&configuration)
    }

    /// Whether a dependency that inherits this may use an interface of the host, named as it imports it.
    ///
    /// Interfaces that give access to nothing (clocks, random numbers, output, types) are free. Those that Spin
    /// groups under a configuration need it. Any other, those of this host included, needs all of them: a
    /// dependency that may not do everything that its parent may is not given what nobody thought about.
    pub fn allows(&self, import: &str) -> bool {
        let name = import.split('@').next().unwrap_or(import);
        let (package, interface) = name.split_once('/').unwrap_or((name, ""));
        let configuration = match (package, interface) {
            ("wasi:http", "client" | "outgoing-handler")
            | (
                "wasi:sockets",
                "ip-name-lookup" | "tcp-create-socket" | "tcp" | "udp-create-socket" | "udp"
                | "instance-network",
            )
            | ("fermyon:spin", "http" | "redis" | "mysql" | "postgres" | "mqtt")
            | ("spin:redis" | "spin:mysql" | "spin:postgres" | "spin:mqtt", _) => {
                Configuration::AllowedOutboundHosts
            }
            ("wasi:cli", "environment") => Configuration::Environment,
            ("wasi:filesystem", "preopens") => Configuration::Files,
            ("fermyon:spin", "key-value") | ("spin:key-value" | "wasi:keyvalue", _) => {
                Configuration::KeyValueStores
            }
            ("fermyon:spin", "sqlite") | ("spin:sqlite", _) => Configuration::SqliteDatabases,
            ("fermyon:spin", "variables" | "config") | ("spin:variables" | "wasi:config", _) => {
                Configuration::Variables
            }
            ("fermyon:spin", "llm") => Configuration::AiModels,
            ("wasi:http", "types")
            | ("wasi:filesystem", "types")
            | ("wasi:sockets", _)
            | ("wasi:io" | "wasi:clocks" | "wasi:random" | "wasi:cli", _) => return true,
            _ => return Configuration::ALL.iter().all(|one| self.contains(*one)),
        };
        self.contains(configuration)
    }

    /// What is taken over.
    pub fn iter(&self) -> impl Iterator<Item = Configuration> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Configuration> for Inherit {
    fn from_iter<I: IntoIterator<Item = Configuration>>(configurations: I) -> Self {
        Self(configurations.into_iter().collect())
    }
}

/// One import of a component and the file that satisfies it.
#[derive(Clone, Debug)]
pub struct Dependency {
    pub(crate) name: DependencyName,
    pub(crate) source: PathBuf,
    pub(crate) export: Option<String>,
    pub(crate) inherit: Inherit,
    pub(crate) place: Place,
    pub(crate) key: String,
}

impl Dependency {
    /// The import.
    pub fn name(&self) -> &DependencyName {
        &self.name
    }

    /// The component file that satisfies it; absolute, not checked to exist.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The export that is meant, where its name differs from the import's.
    pub fn export(&self) -> Option<&str> {
        self.export.as_deref()
    }

    /// What the dependency takes over from its parent.
    pub fn inherit(&self) -> &Inherit {
        &self.inherit
    }

    /// Where the manifest names it.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The manifest's key for it.
    pub fn key(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DependencyName {
        text.parse().unwrap()
    }

    #[test]
    fn names_print_as_they_were_written() {
        for text in ["state", "a:b", "a:b/c-d", "a:b@0.1.0", "a:b/c@1.2.3-rc.1"] {
            assert_eq!(name(text).to_string(), text);
        }
    }

    #[test]
    fn broken_names_are_refused() {
        for bad in [
            "", "a_b", "a:", ":b", "a/b", "a:b/", "a:b@", "a:b@1", "a:b/c/d", "a:b:c", "a:b/c@x",
        ] {
            assert!(bad.parse::<DependencyName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_overlap_unless_version_track_or_interface_differs() {
        for (a, b) in [
            ("a:b", "a:b@0.1.0"),
            ("a:b/c", "a:b"),
            ("a:b/c@0.1.0", "a:b@0.1.0"),
            ("a:b@0.2.1", "a:b@0.2.2"),
            ("a:b@1.0.0", "a:b@1.9.0"),
            ("a:b@0.1.0-pre", "a:b@0.1.0-pre+build"),
        ] {
            assert!(name(a).overlaps(&name(b)), "{a} {b}");
        }
        for (a, b) in [
            ("a:b", "a:c"),
            ("a:b/c", "a:b/d"),
            ("a:b@0.1.0", "a:b@0.2.0"),
            ("a:b@0.0.1", "a:b@0.0.2"),
            ("a:b@1.0.0", "a:b@2.0.0"),
            ("a:b@0.1.0-pre", "a:b@0.1.0"),
            ("a:b/c@0.1.0", "a:b@0.2.0"),
            ("plain", "a:b"),
        ] {
            assert!(!name(a).overlaps(&name(b)), "{a} {b}");
        }
    }

    #[test]
    fn nothing_is_inherited_unless_said() {
        assert!(
            Configuration::ALL
                .into_iter()
                .all(|each| !Inherit::none().contains(each))
        );
        assert!(
            Configuration::ALL
                .into_iter()
                .all(|each| Inherit::all().contains(each))
        );
        let some: Inherit = [Configuration::Variables].into_iter().collect();
        assert!(some.contains(Configuration::Variables) && !some.contains(Configuration::Files));
    }

    #[test]
    fn a_dependency_may_use_what_it_inherits_and_what_gives_access_to_nothing() {
        let none = Inherit::none();
        let hosts: Inherit = [Configuration::AllowedOutboundHosts].into_iter().collect();
        for free in [
            "wasi:clocks/monotonic-clock@0.3.0",
            "wasi:http/types@0.3.0",
            "wasi:cli/stdout@0.2.6",
        ] {
            assert!(none.allows(free), "{free}");
        }
        for denied in [
            "wasi:http/client@0.3.0",
            "wasi:cli/environment@0.2.9",
            "wasi:filesystem/preopens@0.3.0",
            "spin:redis/redis@3.0.0",
            "spin:variables/variables@3.0.0",
            "anyturn:state/store@0.1.0",
            "unheard:of/interface",
        ] {
            assert!(!none.allows(denied), "{denied}");
            assert!(Inherit::all().allows(denied), "{denied}");
        }
        assert!(hosts.allows("wasi:http/client@0.3.0"));
        assert!(!hosts.allows("spin:variables/variables@3.0.0"));
        assert!(!hosts.allows("anyturn:state/store@0.1.0"));
    }
}
