//! What a component sees of the machine: its environment, its files, and where its output goes.

use crate::logging::{Lines, Serving};
use std::path::PathBuf;
use wasmtime_wasi::{FsPerms, WasiCtx};

/// What every instance of a component gets.
#[derive(Default)]
pub(crate) struct Template {
    pub(crate) environment: Vec<(String, String)>,
    /// The directory that the component sees as `/`. Read-only.
    pub(crate) mount: Option<PathBuf>,
}

impl Template {
    /// The context of one instance. Files are read on the thread that runs the guest: they are few, small and
    /// in the page cache, and handing a read to another thread costs more than the read.
    pub(crate) fn build(&self, component: &str, serving: &Serving) -> WasiCtx {
        let mut builder = WasiCtx::builder();
        builder
            .envs(&self.environment)
            .allow_blocking_current_thread(true)
            .stdout(Lines::new(component, serving, "stdout"))
            .stderr(Lines::new(component, serving, "stderr"));
        if let Some(mount) = &self.mount
            && let Err(error) = builder.preopened_dir(mount, "/", FsPerms::ReadOnly)
        {
            tracing::error!(component, directory = %mount.display(), %error, "files cannot be mounted");
        }
        builder.build()
    }
}
