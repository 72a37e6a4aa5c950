//! Compiled components: made ahead of time, kept in a cache, loaded by mapping a file.
//!
//! An entry's name is the SHA-256 of what determines its machine code: the engine's settings and version, and
//! the inputs of the component. Entries are written beside their place and renamed into it, so that nobody
//! sees half of one. Each ends in the SHA-256 of the rest; an entry that does not match, or that wasmtime
//! refuses, is compiled anew.

use super::anyhow_of;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Length of the digest that ends an entry.
const DIGEST: usize = 32;

/// A directory of compiled components, for one engine.
pub(crate) struct Cache {
    directory: PathBuf,
    engine: Engine,
    hits: AtomicU64,
    misses: AtomicU64,
    /// Components that were compiled and could not be kept.
    unkept: AtomicU64,
    /// Numbers the files that are being written.
    partial: AtomicU64,
}

/// Names an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Cache {
    /// Opens the directory, which is made if it does not exist, for its owner only: who can write here can
    /// run code in this process.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory).with_context(|| {
            format!(
                "the cache of compiled components, {}, cannot be made",
                directory.display()
            )
        })?;
        Ok(Self {
            directory: directory.to_owned(),
            engine: engine.clone(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            unkept: AtomicU64::new(0),
            partial: AtomicU64::new(0),
        })
    }

    /// The key of a component that is made of `inputs`, in their order.
    pub(crate) fn key<'a>(&self, inputs: impl IntoIterator<Item = &'a [u8]>) -> Key {
        let mut settings = HashInto(Sha256::new());
        self.engine.precompile_compatibility_hash().hash(&mut settings);
        let mut hash = settings.0;
        for input in inputs {
            hash.update((input.len() as u64).to_le_bytes());
            hash.update(input);
        }
        Key(hex(&hash.finalize()))
    }

    /// The entry, if there is a sound one.
    pub(crate) fn load(&self, key: &Key) -> Option<Component> {
        let path = self.path(key);
        let path = path.is_file().then_some(path)?;
        let loaded = match is_sound(&path) {
            Ok(true) => load(&self.engine, &path).map_err(|error| error.to_string()),
            Ok(false) => Err("it is damaged".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match loaded {
            Ok(component) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Some(component)
            }
            Err(reason) => {
                tracing::warn!(
                    path = %path.display(),
                    reason,
                    "a compiled component in the cache is of no use; compiling it anew"
                );
                None
            }
        }
    }

    /// Compiles `wasm` and keeps the result. That it cannot be kept is logged and no failure.
    pub(crate) fn compile(&self, key: &Key, wasm: &[u8]) -> Result<Component> {
        self.misses.fetch_add(1, Ordering::Relaxed);
        let code = self.engine.precompile_component(wasm).map_err(anyhow_of)?;
        match self.store(key, &code) {
            // A mapped file costs no memory of its own.
            Ok(()) => load(&self.engine, &self.path(key)).map_err(anyhow_of),
            Err(error) => {
                self.unkept.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(directory = %self.directory.display(), %error, "a compiled component cannot be kept");
                deserialize(&self.engine, &code).map_err(anyhow_of)
            }
        }
    }

    fn store(&self, key: &Key, code: &[u8]) -> std::io::Result<()> {
        // Two components that are the same are compiled side by side.
        let number = self.partial.fetch_add(1, Ordering::Relaxed);
        let partial = self
            .directory
            .join(format!("{}.{}-{number}.part", key.0, std::process::id()));
        let mut bytes = Vec::with_capacity(code.len().saturating_add(DIGEST));
        bytes.extend_from_slice(code);
        bytes.extend_from_slice(&Sha256::digest(code));
        std::fs::write(&partial, bytes)?;
        std::fs::rename(&partial, self.path(key)).inspect_err(|_| {
            let _ = std::fs::remove_file(&partial);
        })
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(format!("{}.cwasm", key.0))
    }

    /// Whether everything that was compiled since the cache was opened is in it.
    pub(crate) fn has_all(&self) -> bool {
        self.unkept.load(Ordering::Relaxed) == 0
    }

    /// Entries loaded, and components compiled, since the cache was opened.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.hits.load(Ordering::Relaxed),
            self.misses.load(Ordering::Relaxed),
        )
    }
}

/// Whether an entry is what was once written: its digest fits.
fn is_sound(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let Some(code) = length.checked_sub(DIGEST as u64) else {
        return Ok(false);
    };
    let mut hash = Sha256::new();
    let mut left = Read::take(&mut file, code);
    let mut piece = vec![0; 128 << 10];
    loop {
        match left.read(&mut piece)? {
            0 => break,
            read => hash.update(piece.get(..read).unwrap_or_default()),
        }
    }
    let mut digest = [0; DIGEST];
    file.read_exact(&mut digest)?;
    Ok(hash.finalize().as_slice() == digest)
}

/// Maps an entry.
///
/// `unsafe` because wasmtime runs whatever it is given. The file was made by `Cache::store`, in a directory
/// that only its owner can write to, and has the digest that it was written with; it is replaced by renaming
/// and never written to again, so that the mapping does not change. wasmtime itself checks that its own
/// version and settings made the code.
#[allow(
    unsafe_code,
    reason = "one of the two places where machine code is loaded; its conditions are above"
)]
fn load(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file holds what `Engine::precompile_component` made, see above.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Loads what this process has just compiled; `unsafe` for the same reason.
#[allow(unsafe_code, reason = "the other place where machine code is loaded")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the only caller passes what `Engine::precompile_component` returned.
    unsafe { Component::deserialize(engine, code) }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(
        String::with_capacity(bytes.len().saturating_mul(2)),
        |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}

/// Feeds what is hashed by `Hash` into SHA-256.
struct HashInto(Sha256);

impl Hasher for HashInto {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not used: the digest is taken instead.
    fn finish(&self) -> u64 {
        0
    }
}
