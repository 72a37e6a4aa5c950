//! The application, copied beside its built components, so that a test may spoil it or add to it.

use std::path::PathBuf;

use tempfile::TempDir;

/// A copy of spin.toml and of the assistants, in a folder that goes when it is dropped.
#[derive(Debug)]
pub struct Application {
    folder: TempDir,
}

impl Application {
    /// The application as it is.
    pub fn copy() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for the copy: {error}"));
        let root = crate::repository();
        let copy = |from: PathBuf, to: PathBuf| {
            std::fs::copy(&from, &to).unwrap_or_else(|error| panic!("{} is copied: {error}", from.display()))
        };
        copy(root.join("spin.toml"), folder.path().join("spin.toml"));
        let folders = [root.join("assistants"), root.join("assistants/inbox")];
        for assistants in &folders {
            let to = folder
                .path()
                .join(assistants.strip_prefix(&root).unwrap_or(assistants));
            std::fs::create_dir(&to).unwrap_or_else(|error| panic!("a folder for assistants: {error}"));
            let entries = std::fs::read_dir(assistants)
                .unwrap_or_else(|error| panic!("the assistants are listed: {error}"));
            for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
                copy(entry.path(), to.join(entry.file_name()));
            }
        }
        // The components that were built along with the binary under test.
        let target = crate::host::target();
        std::os::unix::fs::symlink(target, folder.path().join("target"))
            .unwrap_or_else(|error| panic!("the built components are linked: {error}"));
        Self { folder }
    }

    /// Adds an assistant, or replaces it.
    #[must_use]
    pub fn assistant(self, name: &str, toml: &str) -> Self {
        let path = self.folder.path().join("assistants").join(format!("{name}.toml"));
        std::fs::write(&path, toml).unwrap_or_else(|error| panic!("{} is written: {error}", path.display()));
        self
    }

    /// Replaces a part of the manifest, which must be there.
    #[must_use]
    pub fn replace(self, from: &str, to: &str) -> Self {
        let path = self.manifest();
        let manifest = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("the manifest: {error}"));
        assert!(manifest.contains(from), "the manifest has {from:?}");
        std::fs::write(&path, manifest.replacen(from, to, 1))
            .unwrap_or_else(|error| panic!("the manifest is written: {error}"));
        self
    }

    /// Adds to the manifest, such as a component.
    #[must_use]
    pub fn append(self, toml: &str) -> Self {
        let path = self.manifest();
        let manifest = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("the manifest: {error}"));
        std::fs::write(&path, format!("{manifest}\n{toml}"))
            .unwrap_or_else(|error| panic!("the manifest is written: {error}"));
        self
    }

    /// Lets chat reach an address, such as `http://127.0.0.1:4000`.
    #[must_use]
    pub fn reaching(self, origin: &str) -> Self {
        const FIRST: &str = "allowed_outbound_hosts = [\n";
        self.replace(FIRST, &format!("{FIRST}    \"{origin}\",\n"))
    }

    /// What to start a host with.
    pub fn manifest(&self) -> PathBuf {
        self.folder.path().join("spin.toml")
    }
}
