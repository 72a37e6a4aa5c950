//! Everything that can be known to be wrong before the first request: the manifest, the component and mounted files, what
//! components import that our host does not have, the assistants, and the values of the application's variables.
//!
//! `anyturn check` prints it; `anyturn up` does not start while there is an error. All of it is found in one go, and each
//! finding names file (or environment), key, reason and what would be right. What a variable may hold is decided by the
//! code that uses it (`anyturn-identity`, `anyturn-model`, `anyturn-engine`), which is asked here.
//!
//! The checks read files and nothing else: no network, no compilation, so they take milliseconds. They leave alone what
//! an application does not have: one without `jwt_secret` is not asked for it.

mod assistants;
mod components;
mod interfaces;
mod settings;
mod wasm;

use std::net::IpAddr;
use std::path::Path;

use anyturn_manifest::{Application, DependencyName, Findings, Inputs, Values, load};

pub use interfaces::{LACKING, PROVIDED, Provided, is_provided};
pub use settings::{Model, is_identified, model};

/// What is to be served, and how.
pub struct Subject<'a> {
    /// The manifest.
    pub manifest: &'a Path,
    /// Environment and `--variable` flags.
    pub inputs: &'a Inputs,
    /// The address that is listened on: whether strangers can connect decides what is allowed.
    pub listen: IpAddr,
    /// Which dependencies the host provides itself; their component files need not be there.
    pub provided: &'a dyn Fn(&DependencyName) -> bool,
    /// The file with the certificate authority of the Redis that `redis_url` names.
    pub redis_ca_file: Option<&'a Path>,
}

/// An application that nothing is known to be wrong with, and the values of its variables.
#[derive(Debug)]
pub struct Checked {
    /// The application.
    pub application: Application,
    /// What its variables are, the host's own choices included.
    pub values: Values,
    /// The certificate authority of its Redis, in PEM.
    pub redis_authority: Option<Vec<u8>>,
}

/// Checks everything, and gives warnings beside the result.
///
/// # Errors
/// Everything that was found, warnings included, when at least one finding is an error.
pub fn check(subject: &Subject<'_>) -> Result<(Checked, Findings), Findings> {
    let (application, mut findings) = load(subject.manifest)?;
    findings.extend(application.check_files(subject.provided));
    findings.extend(components::check(&application, subject.provided));
    let mut redis_authority = None;
    let values = match application.values(subject.inputs) {
        Ok((mut values, warnings)) => {
            findings.extend(warnings);
            settings::choose(&mut values, subject.listen);
            findings.extend(settings::check(&application, &values, subject.listen));
            let (authority, found) = settings::store::check(&application, &values, subject);
            redis_authority = authority;
            findings.extend(found);
            findings.extend(application.subscriptions(&values).err().unwrap_or_default());
            Some(values)
        }
        Err(errors) => {
            findings.extend(errors);
            None
        }
    };
    findings.extend(assistants::check(&application, values.as_ref()));
    match values {
        Some(values) => findings.into_result(Checked {
            application,
            values,
            redis_authority,
        }),
        None => Err(findings),
    }
}
