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

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        root
    }

    fn files(mounts: &[MountKind], exclude: &[&str]) -> Files {
        let mount = |kind: &MountKind| Mount {
            place: Place::line("spin.toml", 3),
            key: "component.a.files[0]".to_owned(),
            kind: kind.clone(),
        };
        Files {
            mounts: mounts.iter().map(mount).collect(),
            exclude: exclude
                .iter()
                .map(|pattern| Pattern::new(pattern).unwrap())
                .collect(),
        }
    }

    fn pattern(text: &str) -> MountKind {
        MountKind::Pattern(text.to_owned())
    }

    fn placement(source: &str, destination: &str) -> MountKind {
        MountKind::Placement {
            source: source.to_owned(),
            destination: destination.to_owned(),
        }
    }

    /// `guest <- source` of every file, relative to the root.
    fn mounted(root: &tempfile::TempDir, files: &Files) -> Vec<String> {
        let show = |file: MountedFile| {
            let source = file
                .source
                .strip_prefix(root.path())
                .unwrap()
                .display()
                .to_string();
            format!("{} <- {source}", file.guest.display())
        };
        files
            .resolve(root.path())
            .unwrap()
            .into_iter()
            .map(show)
            .collect()
    }

    #[test]
    fn patterns_keep_their_paths_and_placements_move() {
        let root = tree(&[
            "index.html",
            "a/one.css",
            "a/b/two.css",
            "a/b/two.map",
            "data/x.json",
        ]);
        let all = files(
            &[
                pattern("index.html"),
                pattern("a/**/*.css"),
                placement("data", "/d"),
                placement("a/one.css", "/one"),
            ],
            &[],
        );
        assert_eq!(
            mounted(&root, &all),
            [
                "a/b/two.css <- a/b/two.css",
                "a/one.css <- a/one.css",
                "d/x.json <- data/x.json",
                "index.html <- index.html",
                "one <- a/one.css",
            ]
        );
    }

    #[test]
    fn a_directory_can_be_the_guests_root() {
        let root = tree(&["assets/a", "assets/deep/b"]);
        assert_eq!(
            mounted(&root, &files(&[placement("assets", "/")], &[])),
            ["a <- assets/a", "deep/b <- assets/deep/b"]
        );
    }

    #[test]
    fn excluded_files_are_not_there() {
        let root = tree(&["a/keep", "a/secret.key", "a/deep/other.key"]);
        let some = files(&[placement("a", "/")], &["a/*.key", "a/**/*.key"]);
        assert_eq!(mounted(&root, &some), ["keep <- a/keep"]);
    }

    #[test]
    fn the_later_of_two_mounts_counts() {
        let root = tree(&["a", "b"]);
        assert_eq!(
            mounted(&root, &files(&[placement("a", "/x"), placement("b", "/x")], &[])),
            ["x <- b"]
        );
    }

    #[test]
    fn the_names_of_directories_are_no_patterns() {
        let outer = tree(&["[x]/a/file"]);
        let root = outer.path().join("[x]");
        let found = files(&[placement("a", "/"), pattern("a/*")], &[])
            .resolve(&root)
            .unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn what_is_not_there_or_lies_outside_is_told() {
        let root = tree(&["dir/file"]);
        for (mount, reason) in [
            (pattern("absent.txt"), "`absent.txt` does not exist"),
            (pattern("dir"), "`dir` is a directory"),
            (
                pattern("../other/*"),
                "`../other/*` does not lie below the manifest's directory",
            ),
            (
                pattern("/etc/passwd"),
                "`/etc/passwd` does not lie below the manifest's directory",
            ),
            (
                pattern("a***"),
                "`a***` is no pattern: wildcards are either regular `*` or recursive `**`",
            ),
            (placement("absent", "/a"), "`absent` does not exist"),
            (
                placement("..", "/a"),
                "`..` does not lie below the manifest's directory",
            ),
            (placement("dir/file", "/"), "`/` is no path of a file"),
            (placement("dir/file", "/x/"), "`/x/` is no path of a file"),
        ] {
            let findings = files(&[mount], &[]).resolve(root.path()).unwrap_err();
            let told: Vec<_> = findings.iter().map(Finding::reason).collect();
            assert_eq!(told, [reason]);
        }
    }
}
