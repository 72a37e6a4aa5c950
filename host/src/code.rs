//! The code that a component is composed of, known by its digest.

use crate::engine::aot::hex;
use anyhow::{Context as _, Result, bail};
use anyturn_manifest::Source;
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// The file of a component, a dependency or middleware.
pub(crate) struct Code<'a> {
    path: &'a Path,
    digest: [u8; 32],
    bytes: Option<Vec<u8>>,
}

impl<'a> Code<'a> {
    /// Reads a file, or the note that was left of it.
    pub(crate) fn read(path: &'a Path) -> Result<Self> {
        let source = Source::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let (digest, bytes) = match source {
            Source::Code(bytes) => (Sha256::digest(&bytes).into(), Some(bytes)),
            Source::Note(digest) => (digest, None),
        };
        Ok(Self { path, digest, bytes })
    }

    /// The SHA-256 of the code.
    pub(crate) fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// The code itself.
    pub(crate) fn bytes(&self) -> Result<&[u8]> {
        match &self.bytes {
            Some(bytes) => Ok(bytes),
            None => bail!(
                "the code of {} was left out of this image, and the cache has nothing that was compiled of it for this \
                 version of anyturn, this composition and this processor (`--processor`): put the code in its place",
                self.path.display()
            ),
        }
    }

    /// Puts a note in the place of the code. The file is replaced, not written to: what is linked to it keeps the code.
    pub(crate) fn leave_out(&self) -> Result<()> {
        let path = self.path;
        let note = path.with_extension("note");
        std::fs::write(&note, Source::note(&hex(&self.digest)))
            .and_then(|()| std::fs::rename(&note, path))
            .with_context(|| format!("no note can be put in the place of {}", path.display()))
    }
}
