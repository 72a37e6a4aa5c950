//! Temporary reader.
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

#[derive(Default)]
pub(crate) struct AllowedHosts(pub Vec<String>);
impl AllowedHosts {
    pub(crate) fn allows(&self, _url: &str) -> bool { !self.0.is_empty() }
    pub(crate) fn allows_self(&self) -> bool { !self.0.is_empty() }
}
pub(crate) struct ComponentSpec { pub id: String, pub source: PathBuf, pub allowed: Vec<String> }
pub(crate) struct App { pub components: Vec<ComponentSpec>, pub routes: Vec<(String, String)> }

pub(crate) fn read(path: &Path) -> Result<App> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let doc: toml::Table = text.parse()?;
    let base = path.parent().unwrap_or(Path::new("."));
    let mut components = Vec::new();
    for (id, c) in doc.get("component").and_then(|c| c.as_table()).into_iter().flatten() {
        components.push(ComponentSpec {
            id: id.clone(),
            source: base.join(c.get("source").and_then(|s| s.as_str()).context("source")?),
            allowed: c.get("allowed_outbound_hosts").and_then(|a| a.as_array()).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        });
    }
    let mut routes = Vec::new();
    for t in doc.get("trigger").and_then(|t| t.get("http")).and_then(|t| t.as_array()).into_iter().flatten() {
        if let (Some(r), Some(c)) = (t.get("route").and_then(|r| r.as_str()), t.get("component").and_then(|c| c.as_str())) {
            routes.push((r.to_owned(), c.to_owned()));
        }
    }
    Ok(App { components, routes })
}
