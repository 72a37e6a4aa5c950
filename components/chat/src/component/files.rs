//! The files that are mounted for this component, by `wasi:filesystem` itself.
//!
//! Every turn reads one. The standard library asks for a file's size and identity before it reads it, and brings 20 KiB of
//! code along.

use std::io::Error;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// How much is read at once: more than nearly all of the files hold.
const PIECE: u64 = 16 * 1024;

/// A file's contents; `None` when there is no such file.
pub fn read(path: &str) -> std::io::Result<Option<Vec<u8>>> {
    let Some(file) = open(path, OpenFlags::empty())? else {
        return Ok(None);
    };
    let mut contents = Vec::new();
    loop {
        // There are no files of this size.
        let offset = u64::try_from(contents.len()).unwrap_or(u64::MAX);
        let (piece, end) = file.read(PIECE, offset).map_err(error)?;
        let last = end || (piece.len() as u64) < PIECE;
        if contents.is_empty() {
            contents = piece;
        } else {
            contents.extend_from_slice(&piece);
        }
        if last {
            return Ok(Some(contents));
        }
    }
}

/// The names of the files in a folder; none when there is no such folder.
pub fn list(path: &str) -> std::io::Result<Vec<String>> {
    let Some(folder) = open(path, OpenFlags::DIRECTORY)? else {
        return Ok(Vec::new());
    };
    let entries = folder.read_directory().map_err(error)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry().map_err(error)? {
        names.push(entry.name);
    }
    Ok(names)
}

/// Opens what is at an absolute path; `None` when nothing is.
fn open(path: &str, flags: OpenFlags) -> std::io::Result<Option<Descriptor>> {
    // Folders may be mounted into one another, and then the innermost one has the file.
    let mounted = get_directories();
    let innermost = mounted
        .iter()
        .filter_map(|(folder, at)| Some((folder, below(path, at)?)))
        .min_by_key(|(_, rest)| rest.len());
    let Some((folder, rest)) = innermost else {
        return Ok(None);
    };
    match folder.open_at(PathFlags::SYMLINK_FOLLOW, rest, flags, DescriptorFlags::READ) {
        Ok(file) => Ok(Some(file)),
        Err(ErrorCode::NoEntry) => Ok(None),
        Err(code) => Err(error(code)),
    }
}

/// The rest of an absolute path below a folder.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest),
        // The folder itself.
        None if rest.is_empty() => Some("."),
        None => None,
    }
}

fn error(code: ErrorCode) -> Error {
    Error::other(code.message())
}
