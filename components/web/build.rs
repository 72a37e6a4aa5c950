//! Gives every asset its entity tag, so that no instance has to hash what never changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=assets");
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir("assets")? {
        let path = entry?.path().canonicalize()?;
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("an asset's name is not UTF-8")?
            .to_owned();
        files.insert(name, path);
    }
    let mut table = String::from("&[\n");
    for (name, path) in &files {
        let mut hasher = DefaultHasher::new();
        std::fs::read(path)?.hash(&mut hasher);
        let route = if name == "index.html" {
            "/".to_owned()
        } else {
            format!("/{name}")
        };
        let media_type = media_type(path)?;
        writeln!(
            table,
            "    Asset {{ path: {route:?}, media_type: {media_type:?}, etag: \"\\\"{:016x}\\\"\", content: include_bytes!({path:?}) }},",
            hasher.finish()
        )?;
    }
    table.push_str("]\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("assets.rs"), table)?;
    Ok(())
}

fn media_type(path: &Path) -> Result<&'static str, String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("svg") => Ok("image/svg+xml"),
        _ => Err(format!("{}: name its media type in build.rs", path.display())),
    }
}
