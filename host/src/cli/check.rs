//! `anyturn check`: everything that is wrong, with its place, its reason and what would be right.

use super::configuration::{self, error_of};
use anyhow::{Result, bail};
use anyturn_engine::assistant::Assistant;
use std::path::Path;

/// What `check` can be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    application: configuration::Arguments,
}

/// Checks the manifest, the configuration, the files, and the assistants among them.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let application = &arguments.application;
    let configured = application.read(None).map_err(|findings| error_of(&findings, &application.manifest))?;
    let mut findings = configured.warnings;
    findings.extend(configured.application.check_files(|name| name.package().as_deref() == Some("anyturn:state")));
    for component in configured.application.components() {
        if let Err(more) = configured.application.settings(component, &configured.values) {
            findings.extend(more);
        }
    }
    let errors = findings.errors();
    if !findings.is_empty() {
        eprintln!("{findings}");
    }
    let assistants = assistants(&configured.application)?;
    if errors + assistants > 0 {
        bail!("{} problem(s) found", errors + assistants);
    }
    println!("{}: no problems found", application.manifest.display());
    Ok(())
}

/// Checks the assistants that components see, and says how many are wrong.
fn assistants(application: &anyturn_manifest::Application) -> Result<usize> {
    let mut wrong = 0_usize;
    for component in application.components() {
        let Ok(files) = component.files().resolve(application.root()) else { continue };
        for file in files.iter().filter(|file| is_assistant(&file.guest)) {
            let name = file.source.strip_prefix(application.root()).unwrap_or(&file.source).display().to_string();
            let text = std::fs::read_to_string(&file.source)?;
            if let Err(error) = Assistant::parse(&name, &text) {
                eprintln!("{error}");
                wrong += 1;
            }
        }
    }
    Ok(wrong)
}

fn is_assistant(path: &Path) -> bool {
    path.starts_with("assistants") && path.extension().is_some_and(|extension| extension == "toml")
}
