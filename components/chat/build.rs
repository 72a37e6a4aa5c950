//! Writes what is embedded in a form that takes little room: the description of the API and its page, compressed.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        // What a turn takes, at once: each growth of the memory in a fresh instance is a system call.
        println!("cargo::rustc-link-arg-cdylib=--initial-memory=4194304");
    }
    let folder = std::env::var("OUT_DIR")?;
    let folder = Path::new(&folder);
    for file in ["openapi.json", "docs/index.html", "docs/docs.js", "docs/docs.css"] {
        println!("cargo::rerun-if-changed={file}");
        let name = Path::new(file).file_name().ok_or("a file has a name")?;
        let compressed = miniz_oxide::deflate::compress_to_vec(&std::fs::read(file)?, 10);
        std::fs::write(folder.join(name).with_added_extension("deflate"), compressed)?;
    }
    Ok(())
}
