//! What the container image holds, put into a folder: the Dockerfile's last stage is this folder and nothing else, so
//! that a test can run it without a container engine.
//!
//! - `/anyturn`, the host, and the few libraries of C that it is linked with;
//! - `/app`: spin.toml, what it names, and the components as machine code (`/app/cache`) for every processor of the
//!   architecture, with notes of their digests where their code was;
//! - `/data`, empty, for the embedded store where somebody mounts a volume;
//! - a user, and for scanners which Debian packages the libraries are of.
//!
//! Everything can be read by any user, and written by none but root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::artifacts::{self, Profile};
use crate::run::{program, root, step, success};
use crate::{manifest, sbom, toolchain};

/// Who the host runs as: the number that others use for a user without rights too, `nonroot`.
const USER: u32 = 65532;

/// `cargo xtask image [folder]`.
pub fn image(arguments: &[String]) -> Result<()> {
    let folder = match arguments {
        [] => default_folder(),
        [folder] => std::path::absolute(folder)?,
        [_, extra, ..] => bail!("`cargo xtask image` takes one folder, but got `{extra}` too"),
    };
    toolchain::ensure()?;
    artifacts::components(&[])?;
    assemble(&folder, &artifacts::host(Profile::Dist)?)
}

/// Where the image is put together unless somebody says otherwise, and where the tests look for it.
pub fn default_folder() -> PathBuf {
    root().join("target/image")
}

/// The target that the host is built for: this machine.
pub fn target() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = program(rustc)
        .arg("-vV")
        .output()
        .context("rustc cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line
        .context("rustc does not say what it compiles for")?
        .to_owned())
}

/// Puts the image together from components that have been built, and a host.
pub fn assemble(folder: &Path, host: &Path) -> Result<()> {
    step("Putting the image together");
    clear(folder)?;
    let binary = folder.join("anyturn");
    copy(host, &binary)?;
    strip(&binary)?;
    let libraries = libraries(host)?;
    for library in &libraries {
        copy(library, &below(folder, library))?;
    }
    packages(folder, &libraries)?;
    accounts(folder)?;
    application(&folder.join("app"))?;
    compile(folder, &[])?;
    sbom::of_image(folder)?;
    compile(folder, &["--slim"])?;
    open(folder)?;
    data(&folder.join("data"))?;
    eprintln!(
        "put together: {} ({:.1} MB)",
        folder.display(),
        size(folder)? as f64 / 1e6
    );
    Ok(())
}

/// Makes the folder anew; one that holds something else is left alone.
fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        let empty = fs::read_dir(folder)?.next().is_none();
        if !empty && !folder.join("anyturn").is_file() {
            bail!(
                "{} holds something that is no image; choose another folder",
                folder.display()
            );
        }
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be cleared", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

/// Where a file of this machine lies in the image.
fn below(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path.strip_prefix("/").unwrap_or(path))
}

/// Copies a file, or what a link leads to, and makes the folders above it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    Ok(())
}

/// Copies a file, or a folder with everything in it.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return copy(from, to);
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Takes the symbols out: they are a quarter of the program, and are for debuggers.
fn strip(binary: &Path) -> Result<()> {
    let status = program("strip")
        .arg("--strip-all")
        .arg(binary)
        .status()
        .context("strip cannot be started; it comes with binutils")?;
    success(status).context("strip failed")
}

/// The libraries that a program is linked with, and what loads them; none for a static one.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let output = program("ldd")
        .arg(binary)
        .output()
        .context("ldd cannot be started: the image is put together under Linux")?;
    Ok(libraries_in(&String::from_utf8_lossy(&output.stdout)))
}

/// The files in what ldd says: `libm.so.6 => /lib/libm.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn libraries_in(text: &str) -> Vec<PathBuf> {
    text.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

/// Says in the way of Debian's minimal images which packages the libraries are of, in which version and under which
/// licence, so that scanners find what has to be updated.
fn packages(folder: &Path, libraries: &[PathBuf]) -> Result<()> {
    let release = Path::new("/etc/os-release");
    if release.is_file() {
        copy(release, &folder.join("etc/os-release"))?;
    }
    let mut names: Vec<String> = libraries
        .iter()
        .filter_map(|library| package_of(library))
        .collect();
    names.sort();
    names.dedup();
    for name in names {
        let output = program("dpkg-query").args(["--status", &name]).output()?;
        let plain = name.split(':').next().unwrap_or(&name).to_owned();
        let status = folder.join("var/lib/dpkg/status.d").join(&plain);
        copy_text(&String::from_utf8_lossy(&output.stdout), &status)?;
        let licence = PathBuf::from("/usr/share/doc").join(&plain).join("copyright");
        if licence.is_file() {
            copy(&licence, &below(folder, &licence))?;
        }
    }
    Ok(())
}

/// The Debian package that a file is of; none on other systems.
fn package_of(file: &Path) -> Option<String> {
    // Since /lib is a link to /usr/lib, packages know a file by the one path or by the other.
    let real = file.canonicalize().ok()?;
    let short = real
        .strip_prefix("/usr")
        .map(|rest| Path::new("/").join(rest))
        .ok();
    [Some(real), short].into_iter().flatten().find_map(|path| {
        let output = program("dpkg-query").arg("--search").arg(&path).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (package, _) = text.split_once(": ")?;
        output.status.success().then(|| package.to_owned())
    })
}

/// The user, and where names of hosts are looked up: /etc/hosts first, as everywhere.
fn accounts(folder: &Path) -> Result<()> {
    let etc = folder.join("etc");
    copy_text(
        &format!("root:x:0:0:root:/:/sbin/nologin\nanyturn:x:{USER}:{USER}:anyturn:/:/sbin/nologin\n"),
        &etc.join("passwd"),
    )?;
    copy_text(&format!("root:x:0:\nanyturn:x:{USER}:\n"), &etc.join("group"))?;
    copy_text("hosts: files dns\n", &etc.join("nsswitch.conf"))
}

fn copy_text(text: &str, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(to, text).with_context(|| format!("{} cannot be written", to.display()))
}

/// spin.toml and the files that it names, at the same places relative to it.
fn application(folder: &Path) -> Result<()> {
    copy(&root().join("spin.toml"), &folder.join("spin.toml"))?;
    for path in manifest::read()?.files() {
        copy_all(&root().join(&path), &folder.join(&path))?;
    }
    Ok(())
}

/// Compiles the components into the image, by the host that is in it.
fn compile(folder: &Path, more: &[&str]) -> Result<()> {
    let app = folder.join("app");
    let status = program(folder.join("anyturn"))
        .env_clear()
        .args(["compile", "--processor", "any", "--manifest"])
        .arg(app.join("spin.toml"))
        .arg("--cache-dir")
        .arg(app.join("cache"))
        .args(more)
        .status()
        .context("the host in the image cannot be started")?;
    success(status).context("`anyturn compile` failed")
}

/// Lets everybody read everything, and nobody but the owner write, whatever the umask was.
fn open(path: &Path) -> Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let executable = metadata.is_dir() || mode(&metadata) & 0o100 != 0;
    set_mode(path, if executable { 0o755 } else { 0o644 })?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            open(&entry?.path())?;
        }
    }
    Ok(())
}

/// An empty folder that the user may write to: a new volume that is mounted there takes over whose it is.
fn data(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    set_mode(folder, 0o700)?;
    #[cfg(unix)]
    if let Err(error) = std::os::unix::fs::chown(folder, Some(USER), Some(USER)) {
        eprintln!(
            "{} stays yours, since only root gives away: {error}",
            folder.display()
        );
    }
    Ok(())
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, permissions)
        .with_context(|| format!("the permissions of {} cannot be set", path.display()))
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<()> {
    bail!("the image is put together under Linux")
}

/// Bytes of all files below.
fn size(path: &Path) -> Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + size(&entry?.path())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_are_found_in_what_ldd_says() {
        let text = "\tlinux-vdso.so.1 (0x00007f5a463f1000)\n\
                    \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f5a462df000)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f5a463f3000)\n";
        let expected = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(libraries_in(text), expected);
        assert!(libraries_in("\tstatically linked\n").is_empty());
    }

    #[test]
    fn a_folder_that_holds_something_else_is_left_alone() {
        let folder = root().join("xtask");
        assert!(clear(&folder).unwrap_err().to_string().contains("no image"));
        assert!(folder.join("Cargo.toml").is_file());
    }
}
