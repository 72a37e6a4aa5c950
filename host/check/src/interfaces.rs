//! What a component may import in our host, and what may be done where an import is not there.
//!
//! The lists are compared with the tables in docs/spin.md by a test, and with what the host links by one of its own.

use std::fmt;

/// Interfaces of one package that the host provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provided {
    /// The package, such as `wasi:http`.
    pub package: &'static str,
    /// The version: `0.2` and `0.3` stand for all that begin so, of which the host's is one; any other is exact; empty
    /// for a package without one.
    pub version: &'static str,
    /// The interfaces' names.
    pub interfaces: &'static [&'static str],
}

/// The interfaces of `wasi:cli`, which are the same in 0.2 and 0.3.
const COMMAND_LINE: &[&str] = &[
    "environment",
    "exit",
    "stderr",
    "stdin",
    "stdout",
    "terminal-input",
    "terminal-output",
    "terminal-stderr",
    "terminal-stdin",
    "terminal-stdout",
];

/// Everything that the host provides to components.
pub const PROVIDED: &[Provided] = &[
    Provided {
        package: "wasi:cli",
        version: "0.3",
        interfaces: COMMAND_LINE,
    },
    Provided {
        package: "wasi:clocks",
        version: "0.3",
        interfaces: &["monotonic-clock", "system-clock", "types"],
    },
    Provided {
        package: "wasi:filesystem",
        version: "0.3",
        interfaces: &["preopens", "types"],
    },
    Provided {
        package: "wasi:http",
        version: "0.3",
        interfaces: &["client", "types"],
    },
    Provided {
        package: "wasi:random",
        version: "0.3",
        interfaces: &["insecure", "insecure-seed", "random"],
    },
    Provided {
        package: "wasi:sockets",
        version: "0.3",
        interfaces: &["ip-name-lookup", "types"],
    },
    Provided {
        package: "wasi:cli",
        version: "0.2",
        interfaces: COMMAND_LINE,
    },
    Provided {
        package: "wasi:clocks",
        version: "0.2",
        interfaces: &["monotonic-clock", "wall-clock"],
    },
    Provided {
        package: "wasi:filesystem",
        version: "0.2",
        interfaces: &["preopens", "types"],
    },
    Provided {
        package: "wasi:http",
        version: "0.2",
        interfaces: &["outgoing-handler", "types"],
    },
    Provided {
        package: "wasi:io",
        version: "0.2",
        interfaces: &["error", "poll", "streams"],
    },
    Provided {
        package: "wasi:random",
        version: "0.2",
        interfaces: &["insecure", "insecure-seed", "random"],
    },
    Provided {
        package: "wasi:sockets",
        version: "0.2",
        interfaces: &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    },
    Provided {
        package: "wasi:config",
        version: "0.2.0-draft-2024-09-27",
        interfaces: &["store"],
    },
    Provided {
        package: "wasi:keyvalue",
        version: "0.2.0-draft2",
        interfaces: &["atomics", "batch", "store"],
    },
    Provided {
        package: "spin:key-value",
        version: "3.0.0",
        interfaces: &["key-value"],
    },
    Provided {
        package: "spin:redis",
        version: "3.0.0",
        interfaces: &["redis"],
    },
    Provided {
        package: "spin:variables",
        version: "3.0.0",
        interfaces: &["variables"],
    },
    Provided {
        package: "fermyon:spin",
        version: "2.0.0",
        interfaces: &["key-value", "redis", "variables"],
    },
    Provided {
        package: "anyturn:state",
        version: "0.1.0",
        interfaces: &["queue", "store", "types"],
    },
    Provided {
        package: "anyturn:telemetry",
        version: "0.1.0",
        interfaces: &["tracing"],
    },
];

/// Interfaces that Spin provides and our host does not, and what is nearest: packages, or single interfaces of one.
pub const LACKING: &[(&str, &str)] = &[
    (
        "spin:sqlite",
        "keep state in a key-value store (key_value_stores) or behind the import anyturn:state",
    ),
    (
        "fermyon:spin/sqlite@2.0.0",
        "keep state in a key-value store (key_value_stores) or behind the import anyturn:state",
    ),
    (
        "fermyon:spin/llm@2.0.0",
        "import anyturn:model and give anyturn's model component as its dependency, or call a provider over HTTP",
    ),
    (
        "spin:postgres",
        "reach the database through an HTTP API or a tool server beside this host",
    ),
    (
        "fermyon:spin/postgres@2.0.0",
        "reach the database through an HTTP API or a tool server beside this host",
    ),
    (
        "spin:mysql",
        "reach the database through an HTTP API or a tool server beside this host",
    ),
    (
        "fermyon:spin/mysql@2.0.0",
        "reach the database through an HTTP API or a tool server beside this host",
    ),
    (
        "spin:mqtt",
        "publish through Redis (spin:redis) or through an HTTP API of the broker",
    ),
    (
        "fermyon:spin/mqtt@2.0.0",
        "publish through Redis (spin:redis) or through an HTTP API of the broker",
    ),
    (
        "wasi:otel",
        "remove it: the host itself traces and counts requests, or write to standard error, which is logged",
    ),
    (
        "fermyon:spin",
        "build the component with a Spin SDK of version 3 or later, which imports fermyon:spin@2.0.0",
    ),
    ("spin:key-value", "build the component for spin:key-value@3.0.0"),
    ("spin:redis", "build the component for spin:redis@3.0.0"),
    ("spin:variables", "build the component for spin:variables@3.0.0"),
    (
        "anyturn:state",
        "build the component for anyturn:state@0.1.0, or give one that provides it as a dependency",
    ),
];

/// Packages of WASI of which the host has other versions.
const VERSIONED: &[&str] = &[
    "wasi:cli",
    "wasi:clocks",
    "wasi:config",
    "wasi:filesystem",
    "wasi:http",
    "wasi:io",
    "wasi:keyvalue",
    "wasi:random",
    "wasi:sockets",
];

/// Whether the host provides an interface, named as a component imports it.
pub fn is_provided(import: &str) -> bool {
    let (package, interface, version) = split(import);
    PROVIDED.iter().any(|provided| {
        provided.package == package
            && provided.interfaces.contains(&interface)
            && fits(provided.version, version)
    })
}

/// What may be done about an import that the host does not provide.
pub(crate) fn alternative(import: &str) -> String {
    let (package, _, _) = split(import);
    let lacking = LACKING
        .iter()
        .find(|(name, _)| *name == import || *name == package);
    if let Some((_, alternative)) = lacking {
        return (*alternative).to_owned();
    }
    if VERSIONED.contains(&package) {
        let versions: Vec<&str> = PROVIDED
            .iter()
            .filter(|provided| provided.package == package)
            .map(|provided| provided.version)
            .collect();
        return format!(
            "this host has {package} of version {}: build the component with a newer SDK",
            versions.join(" and ")
        );
    }
    format!("give a component that provides it: \"{package}\" = {{ path = … }} among the dependencies")
}

/// `wasi:http/types@0.3.0` as its package, interface and version.
fn split(import: &str) -> (&str, &str, &str) {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    (package, interface, version)
}

/// Whether an import of a version is met: wasmtime links what is compatible by the rules of semantic versions.
fn fits(provided: &str, wanted: &str) -> bool {
    match provided {
        "0.2" | "0.3" => wanted
            .strip_prefix(provided)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|patch| patch.bytes().all(|byte| byte.is_ascii_digit())),
        exact => exact == wanted,
    }
}

/// As in the table of docs/spin.md.
impl fmt::Display for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version {
            "0.2" | "0.3" => format!("{}.x", self.version),
            exact => exact.to_owned(),
        };
        let interfaces: Vec<String> = self.interfaces.iter().map(|name| format!("`{name}`")).collect();
        write!(
            f,
            "| `{}` | {version} | {} |",
            self.package,
            interfaces.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_versions_are_provided_and_drafts_only_as_they_are() {
        for provided in [
            "wasi:http/types@0.2.0",
            "wasi:http/types@0.2.12",
            "wasi:http/client@0.3.0",
            "wasi:keyvalue/store@0.2.0-draft2",
            "fermyon:spin/redis@2.0.0",
        ] {
            assert!(is_provided(provided), "{provided}");
        }
        for lacking in [
            "wasi:http/types@0.2.0-rc-2023-10-18",
            "wasi:http/client@0.3.0-rc-2026-03-15",
            "wasi:http/types@0.4.0",
            "wasi:http/client@0.2.0",
            "wasi:keyvalue/store@0.2.0-draft",
            "fermyon:spin/redis",
            "fermyon:spin/sqlite@2.0.0",
        ] {
            assert!(!is_provided(lacking), "{lacking}");
        }
    }

    #[test]
    fn whatever_is_lacking_there_is_something_to_do() {
        for (import, part) in [
            ("spin:sqlite/sqlite@3.1.0", "key-value store"),
            ("fermyon:spin/llm@2.0.0", "anyturn:model"),
            ("fermyon:spin/http", "Spin SDK of version 3"),
            ("wasi:http/types@0.2.0-rc-2023-10-18", "0.3 and 0.2"),
            ("my:package/thing@1.0.0", "\"my:package\" = { path"),
        ] {
            let told = alternative(import);
            assert!(told.contains(part), "{import}: {told}");
        }
    }
}
