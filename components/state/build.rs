//! Puts the Lua scripts together and computes the digests that Redis knows them by, so that a component has
//! neither to do at run time.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// Each script's constant, its flags and the files that it is made of, in their order.
///
/// The line with the flags lets Redis decide before a script runs, and not in its middle: one that would add to
/// a full server is refused, one that takes from it is not, one that writes nothing runs on a replica too.
const SCRIPTS: &[(&str, &str, &[&str])] = &[
    ("READ", "#!lua flags=no-writes", &["head", "query"]),
    ("COMMIT", "#!lua", &["head", "commit", "query"]),
    ("ENQUEUE", "#!lua", &["queue", "enqueue"]),
    ("CLAIM", "#!lua flags=allow-oom", &["queue", "claim"]),
    ("EXTEND", "#!lua flags=allow-oom", &["queue", "extend"]),
    ("ACKNOWLEDGE", "#!lua flags=allow-oom", &["queue", "acknowledge"]),
    ("RETRY", "#!lua flags=allow-oom", &["queue", "retry"]),
    (
        "DEAD_LETTERS",
        "#!lua flags=no-writes",
        &["queue", "dead_letters"],
    ),
    ("REPLAY", "#!lua flags=allow-oom", &["queue", "replay"]),
    ("DEPTH", "#!lua flags=no-writes", &["queue", "depth"]),
];

fn main() -> io::Result<()> {
    let folder = Path::new("src/schema/scripts");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut constants = String::new();
    let mut names = String::new();
    for (name, flags, files) in SCRIPTS {
        let mut source = format!("{flags}\n");
        for file in *files {
            source.push_str(&fs::read_to_string(folder.join(file).with_extension("lua"))?);
            source.push('\n');
        }
        let digest = sha1_smol::Sha1::from(&source).digest();
        writeln!(
            constants,
            "pub(crate) static {name}: Script = Script {{ name: {name:?}, source: {source:?}, sha1: \"{digest}\" }};"
        )
        .map_err(io::Error::other)?;
        write!(names, "&{name}, ").map_err(io::Error::other)?;
    }
    constants.push_str("/// Every script of the schema.\npub static ALL: &[&Script] = &[");
    constants.push_str(&names);
    constants.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("scripts.rs"), constants)
}
