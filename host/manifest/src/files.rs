//! The files that a component can read, and under which paths.
//!
//! A mount is a glob pattern (`"assets/**/*.css"`, kept under the same path in the guest), a single file, or
//! `{ source, destination }` for a file or a whole directory. Everything lies below the manifest's directory.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use glob::Pattern;

use crate::finding::{Finding, Findings, Place};

/// What a component can read.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) exclude: Vec<Pattern>,
}

#[derive(Clone, Debug)]
pub(crate) struct Mount {
    pub(crate) place: Place,
    pub(crate) key: String,
    pub(crate) kind: MountKind,
}

#[derive(Clone, Debug)]
pub(crate) enum MountKind {
    /// A file, or a glob pattern.
    Pattern(String),
    /// A file or a directory, and where the guest sees it.
    Placement { source: String, destination: String },
}

/// A file and the path under which the guest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedFile {
    /// The file; absolute.
    pub source: PathBuf,
    /// The path in the guest, without a leading slash.
    pub guest: PathBuf,
}

impl Files {
    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// Every file, in the order of its guest path. Where two mounts give one guest path the later one counts.
    ///
    /// # Errors
    /// Every mount whose source does not exist or lies outside of `root`.
    pub fn resolve(&self, root: &Path) -> Result<Vec<MountedFile>, Findings> {
        let mut findings = Findings::default();
        let mut files = BTreeMap::new();
        for mount in &self.mounts {
            let found = match &mount.kind {
                MountKind::Pattern(pattern) => self.pattern(root, pattern),
                MountKind::Placement { source, destination } => self.placement(root, source, destination),
            };
            match found {
                Ok(found) => files.extend(found.into_iter().map(|file| (file.guest, file.source))),
                Err(Refusal { reason, advice }) => {
                    findings
                        .push(Finding::error(mount.place.clone(), mount.key.clone(), reason).advise(advice));
                }
            }
        }
        let files = files
            .into_iter()
            .map(|(guest, source)| MountedFile { source, guest })
            .collect();
        findings.into_result(files).map(|(files, _)| files)
    }

    fn pattern(&self, root: &Path, pattern: &str) -> Result<Vec<MountedFile>, Refusal> {
        inside(pattern)?;
        let path = root.join(pattern);
        if path.is_file() {
            return Ok(vec![MountedFile {
                source: path,
                guest: plain(pattern),
            }]);
        }
        if path.is_dir() {
            return refuse(
                format!("`{pattern}` is a directory"),
                format!(
                    "write {{ source = {pattern:?}, destination = \"/{pattern}\" }} or a pattern such as \"{pattern}/**/*\""
                ),
            );
        }
        if Pattern::escape(pattern) == pattern {
            return refuse(
                format!("`{pattern}` does not exist"),
                "give a file, or a pattern with `*`",
            );
        }
        self.expand(root, root, pattern, Path::new(""))
    }

    fn placement(&self, root: &Path, source: &str, destination: &str) -> Result<Vec<MountedFile>, Refusal> {
        inside(source)?;
        let path = root.join(source);
        let guest = plain(destination);
        if path.is_dir() {
            return self.expand(root, &path, "**/*", &guest);
        }
        if !path.is_file() {
            return refuse(
                format!("`{source}` does not exist"),
                "`source` is a file or directory next to the manifest",
            );
        }
        if guest.as_os_str().is_empty() || destination.ends_with('/') {
            return refuse(
                format!("`{destination}` is no path of a file"),
                "name the file: the source is a single file, so its destination is one",
            );
        }
        Ok(vec![MountedFile { source: path, guest }])
    }

    /// Every file that matches `pattern` below `base`; the directory's own name is no pattern.
    fn expand(
        &self,
        root: &Path,
        base: &Path,
        pattern: &str,
        guest: &Path,
    ) -> Result<Vec<MountedFile>, Refusal> {
        let full = format!("{}/{pattern}", Pattern::escape(&base.to_string_lossy()));
        let paths = match glob::glob(&full) {
            Ok(paths) => paths,
            Err(error) => return refuse(format!("`{pattern}` is no pattern: {}", error.msg), PATTERN),
        };
        let mut files = Vec::new();
        for path in paths {
            let source = match path {
                Ok(source) => source,
                Err(error) => {
                    return refuse(
                        error.to_string(),
                        "make it readable, or leave it out of the pattern",
                    );
                }
            };
            let excluded = source
                .strip_prefix(root)
                .is_ok_and(|p| self.exclude.iter().any(|e| e.matches_path(p)));
            if source.is_file()
                && !excluded
                && let Ok(relative) = source.strip_prefix(base)
            {
                files.push(MountedFile {
                    guest: guest.join(relative),
                    source: source.clone(),
                });
            }
        }
        Ok(files)
    }
}

const PATTERN: &str = "a pattern is a path with `*`, `?`, `[abc]` and `**` for any directories";

struct Refusal {
    reason: String,
    advice: String,
}

fn refuse<T>(reason: impl Into<String>, advice: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        reason: reason.into(),
        advice: advice.into(),
    })
}

fn inside(path: &str) -> Result<(), Refusal> {
    let up = |component| {
        matches!(
            component,
            Component::ParentDir | Component::RootDir | Component::Prefix(_)
        )
    };
    if path.is_empty() || Path::new(path).components().any(up) {
        return refuse(
            format!("`{path}` does not lie below the manifest's directory"),
            "give a path below the directory of the manifest, without `..`",
        );
    }
    Ok(())
}

/// The names of a path, without `.`, `/` and `..`.
fn plain(path: &str) -> PathBuf {
    Path::new(path)
        .components()
        .filter(|component| matches!(component, Component::Normal(_)))
        .collect()
}
