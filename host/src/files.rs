//! The files that components see: copies, so that a component cannot reach what lies beside them.
//!
//! A component's files are put together in a directory that is named after their contents, once; it is
//! complete or not there. The component sees it as `/`, read-only.

use crate::engine::aot::hex;
use anyhow::{Context as _, Result};
use anyturn_manifest::MountedFile;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Puts files together under `directory` and returns where they are.
pub(crate) fn assemble(directory: &Path, files: &[MountedFile]) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    let mut contents = Vec::with_capacity(files.len());
    for file in files {
        let content = std::fs::read(&file.source)
            .with_context(|| format!("{} cannot be read", file.source.display()))?;
        let name = file.guest.as_os_str().as_encoded_bytes();
        for part in [name, &content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        contents.push((&file.guest, content));
    }
    let place = directory.join(hex(&hash.finalize()));
    if place.is_dir() {
        return Ok(place);
    }
    let partial = directory.join(format!("{}.part", std::process::id()));
    let written = write(&partial, &contents).and_then(|()| std::fs::rename(&partial, &place));
    if let Err(error) = written {
        let _ = std::fs::remove_dir_all(&partial);
        // Another process may have been quicker; what it put there is the same.
        if !place.is_dir() {
            return Err(error).with_context(|| {
                format!(
                    "{} cannot be written; `--cache-dir` and `--data-dir` take another directory",
                    place.display()
                )
            });
        }
    }
    Ok(place)
}

fn write(directory: &Path, files: &[(&PathBuf, Vec<u8>)]) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for (guest, content) in files {
        let path = directory.join(guest);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
    }
    Ok(())
}
