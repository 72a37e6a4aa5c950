//! `anyturn compile`: makes what can be made before the application is served, for instance when an image is built:
//! the cache of compiled components, and the files that components see. `anyturn up` then writes nothing to either.

use super::configuration::{self, error_of};
use crate::engine::{self, aot::Cache};
use crate::prepare;
use anyhow::{Result, ensure};

/// What `compile` can be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    application: configuration::Arguments,

    /// Replaces the files of components by notes of their digests, once they are compiled: half of what an application
    /// takes in an image. Whoever has the cache serves the application as before, and can compile nothing of it anew.
    #[arg(long, requires = "cache_dir")]
    slim: bool,
}

/// Compiles what is not compiled yet, and puts files together that are not yet.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let application = &arguments.application;
    let (manifest, _) = anyturn_manifest::load(&application.manifest)
        .map_err(|findings| error_of(&findings, &application.manifest))?;
    // Code does not depend on how many instances there is room for.
    let (engine, _) = engine::new(16, application.processor)?;
    let directory = application.compiled();
    let cache = Cache::open(&directory, &engine)?;
    prepare::compile(&manifest, &cache, &|name| application.provides(name), |text| {
        eprintln!("{text}")
    })?;
    for component in manifest.triggered() {
        prepare::files(&manifest, component, &application.files())?;
    }
    if arguments.slim {
        ensure!(
            cache.has_all(),
            "{} does not hold all that was compiled, so that the components' files stay as they are",
            directory.display()
        );
        prepare::leave_code_out(&manifest, |name| application.provides(name))?;
    }
    let (found, compiled) = cache.counts();
    println!(
        "{compiled} compiled, {found} found compiled, in {}",
        directory.display()
    );
    Ok(())
}
