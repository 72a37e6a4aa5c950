//! Puts the Lua scripts together and computes the digests that Redis knows them by, so that a component has
//! neither to do at run time.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// Each script's constant and the files that it is made of, in their order.
const SCRIPTS: &[(&str, &[&str])] = &[
    ("READ", &["head", "query"]),
    ("COMMIT", &["head", "commit", "query"]),
    ("ENQUEUE", &["queue", "enqueue"]),
    ("CLAIM", &["queue", "claim"]),
    ("EXTEND", &["queue", "extend"]),
    ("ACKNOWLEDGE", &["queue", "acknowledge"]),
    ("RETRY", &["queue", "retry"]),
    ("DEAD_LETTERS", &["queue", "dead_letters"]),
    ("REPLAY", &["queue", "replay"]),
    ("DEPTH", &["queue", "depth"]),
];

fn main() -> io::Result<()> {
    let folder = Path::new("src/schema/scripts");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut constants = String::new();
    let mut names = String::new();
    for (name, files) in SCRIPTS {
        let mut source = String::new();
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
