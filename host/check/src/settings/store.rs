//! Where the state lies: the address of a Redis, and the authority that its certificates come from.

use std::path::Path;

use anyturn_manifest::{Application, Finding, Findings, Place, Values};
use anyturn_state::Error;
use anyturn_store::RedisOptions;

use super::Report;
use crate::Subject;

/// The package of the state port.
const STATE: &str = "anyturn:state";

/// Whether the address is one. It is never quoted, since it may hold a password.
pub(super) fn address(report: &Report<'_>) -> Vec<Finding> {
    let url = report.text("redis_url");
    if url.is_empty() {
        return Vec::new();
    }
    let reason = takes(url, None).err();
    reason
        .map(|reason| report.finding("redis_url", reason))
        .into_iter()
        .collect()
}

/// Whether who uses the address can use it, and the authority, which is returned.
pub(crate) fn check(
    application: &Application,
    values: &Values,
    subject: &Subject<'_>,
) -> (Option<Vec<u8>>, Findings) {
    let report = Report { application, values };
    let mut findings = Findings::default();
    let url = report.text("redis_url");
    if needs_host(url) && is_left_to_a_component(application, subject) {
        let reason = "a component that keeps the state itself can use one server only";
        findings.push(
            report
                .finding("redis_url", reason)
                .advise("write redis:// or rediss://, or let this host provide the state (`--state host`)"),
        );
    }
    let authority = subject.redis_ca_file.and_then(|path| match authority(path, url) {
        Ok(pem) => Some(pem),
        Err(finding) => {
            findings.push(finding);
            None
        }
    });
    (authority, findings)
}

/// Whether a component is to bring its own store, as under Spin.
fn is_left_to_a_component(application: &Application, subject: &Subject<'_>) -> bool {
    application.triggered().any(|component| {
        let mut dependencies = component.dependencies().iter();
        dependencies.any(|dependency| {
            dependency.name().package().as_deref() == Some(STATE) && !(subject.provided)(dependency.name())
        })
    })
}

/// Whether several servers are behind an address.
fn needs_host(url: &str) -> bool {
    let (scheme, _) = url.split_once("://").unwrap_or_default();
    scheme.ends_with("-sentinel") || scheme.ends_with("-cluster")
}

fn authority(path: &Path, url: &str) -> Result<Vec<u8>, Finding> {
    let finding = |reason: String| Finding::error(Place::file(path), "REDIS_CA_FILE", reason);
    let pem = std::fs::read(path).map_err(|error| {
        finding(format!(
            "the certificate authority of Redis cannot be read: {error}"
        ))
        .advise("name a file with its certificate in PEM")
    })?;
    // What is wrong with the address alone is told already.
    match (takes(url, None), takes(url, Some(&pem))) {
        (Ok(()), Err(reason)) => Err(finding(reason)),
        _ => Ok(pem),
    }
}

/// Whether the store would take an address, and why not.
fn takes(url: &str, authority: Option<&[u8]>) -> Result<(), String> {
    let options = RedisOptions {
        certificate_authority: authority.map(<[u8]>::to_vec),
        ..RedisOptions::default()
    };
    options.check(url).map_err(|error| match error {
        Error::Invalid(reason) => reason,
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use anyturn_manifest::{DependencyName, Inputs};

    use super::*;

    /// What is told about a store, one line per finding.
    fn told(url: &str, redis_ca_file: Option<&Path>, provided: bool) -> Vec<String> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
        let (application, _) = anyturn_manifest::load(&manifest).unwrap();
        let inputs = Inputs::from_environment([("REDIS_URL".to_owned(), url.to_owned())]);
        let (values, _) = application.values(&inputs).unwrap();
        let subject = Subject {
            manifest: &manifest,
            inputs: &inputs,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            provided: &|_: &DependencyName| provided,
            redis_ca_file,
        };
        let report = Report {
            application: &application,
            values: &values,
        };
        let (_, used) = check(&application, &values, &subject);
        let findings = address(&report);
        let all = findings.iter().chain(used.iter());
        all.map(|finding| {
            let advice = finding.advice().unwrap_or_default();
            format!(
                "{}: {}: {} {advice}",
                finding.place(),
                finding.key(),
                finding.reason()
            )
        })
        .collect()
    }

    #[test]
    fn every_kind_of_redis_has_an_address() {
        for url in [
            "",
            "redis://redis.example",
            "rediss://me:pass@redis.example:6380/2",
            "redis-sentinel://a.example,b.example:26380/main/1",
            "rediss-cluster://:pass@a.example:7000,b.example:7001",
        ] {
            assert_eq!(told(url, None, true), Vec::<String>::new(), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_without_its_password() {
        for (url, says) in [
            ("redis.example:6379", "no Redis address"),
            ("redis-sentinel://:s3cret@a.example", "mymaster"),
            ("redis-cluster://:s3cret@a.example/1", "database 0"),
        ] {
            let told = told(url, None, true);
            let [told] = told.as_slice() else {
                panic!("{url}: {told:?}");
            };
            assert!(told.contains(": REDIS_URL: ") && told.contains(says), "{told}");
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn a_component_that_keeps_the_state_itself_can_use_one_server_only() {
        assert_eq!(told("redis://a.example", None, false), Vec::<String>::new());
        for url in ["redis-cluster://a.example", "rediss-sentinel://a.example/main"] {
            let told = told(url, None, false);
            assert!(told.len() == 1 && told[0].contains("--state host"), "{told:?}");
        }
    }

    #[test]
    fn an_authority_is_read_and_must_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let one = |url: &str, says: &str| {
            let told = told(url, Some(&file), true);
            assert!(
                told.len() == 1 && told[0].contains(": REDIS_CA_FILE: ") && told[0].contains(says),
                "{told:?}"
            );
        };
        one("rediss://a.example", "cannot be read");
        std::fs::write(&file, "this is a key").unwrap();
        one("rediss://a.example", "BEGIN CERTIFICATE");
        one("redis://a.example", "rediss");
    }
}
