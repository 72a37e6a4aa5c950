//! The data directory: made when it is missing, and used by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyturn_state::Error;

/// The database's file name.
pub(super) const DATABASE: &str = "anyturn.db";

/// A directory that belongs to this process for as long as this value lives. The operating system gives it free
/// when the process ends, however it ends.
pub(super) struct Directory {
    path: PathBuf,
    /// Holds the lock; closing it releases it.
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be, readable by its owner only, and takes it.
    pub(super) fn take(path: &Path) -> Result<Self, Error> {
        let unusable = |what: &str, error: &std::io::Error| {
            Error::Unavailable(format!("the data directory {} {what}: {error}", path.display()))
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(path)
            .map_err(|error| unusable("cannot be created", &error))?;

        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options
            .open(path.join("anyturn.lock"))
            .map_err(|error| unusable("cannot be written to", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(unusable("cannot be locked", &error)),
        }
        // The lock is the file's, not its contents': those only help whoever is refused.
        let described = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        described.map_err(|error| unusable("cannot be written to", &error))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: file,
        })
    }

    /// Where the database is.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

fn taken(path: &Path, file: &mut File) -> Error {
    let mut content = String::new();
    let process = match file
        .read_to_string(&mut content)
        .map(|_| content.trim().parse::<u32>())
    {
        Ok(Ok(pid)) => format!("process {pid}"),
        Ok(Err(_)) | Err(_) => "another process".to_owned(),
    };
    Error::Unavailable(format!(
        "the data directory {} is in use by {process}: stop it, choose another directory, or share a Redis between \
         processes",
        path.display()
    ))
}
