//! `anyturn key`: API keys, of which the server only ever sees the hash.

use crate::engine::aot::hex;
use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// What can be done with keys.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Makes a key and prints it once, with the entry for API_KEYS that lets it in.
    New(New),
}

/// What a new key is for.
#[derive(clap::Args)]
pub(super) struct New {
    /// Whom the key stands for.
    #[arg(long)]
    user: String,

    /// What they may do besides; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,

    /// When the key ends: a time such as 2027-01-31T00:00:00Z. Without it, never.
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
}

/// Does it.
pub(super) fn run(command: Command) -> Result<()> {
    let Command::New(new) = command;
    let secret = random()?;
    let key = format!("ak_{}", hex(&secret));
    println!("key (shown only now, to be sent as `Authorization: Bearer …`):\n  {key}\n");
    println!(
        "entry for API_KEYS (entries are separated by `;`):\n  {}",
        entry(&key, &new)?
    );
    Ok(())
}

/// The entry that lets a key in: `<SHA-256 in hex>:<user>[:<role>,<role>[:<expiry>]]`.
fn entry(key: &str, new: &New) -> Result<String> {
    for name in std::iter::once(&new.user).chain(&new.roles) {
        if name.is_empty() || name.contains([':', ';', ',']) || name.contains(char::is_whitespace) {
            bail!(
                "{name:?} is no name of a user or role: it must not be empty or contain `:`, `;`, `,` or spaces"
            );
        }
    }
    let mut entry = format!("{}:{}", hex(&Sha256::digest(key)), new.user);
    if !new.roles.is_empty() || new.expires.is_some() {
        entry.push(':');
        entry.push_str(&new.roles.join(","));
    }
    if let Some(expires) = new.expires {
        entry.push(':');
        entry.push_str(&expires.to_string());
    }
    Ok(entry)
}

/// 256 random bits.
pub(crate) fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .ok()
        .context("the operating system gives no random numbers")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_the_hash_and_never_the_key() {
        let expires = Some("2027-01-31T00:00:00Z".parse().unwrap());
        let new = New {
            user: "alice".into(),
            roles: vec!["admin".into(), "approver".into()],
            expires,
        };
        let entry = entry("atk_00", &new).unwrap();
        assert_eq!(
            entry,
            format!(
                "{}:alice:admin,approver:2027-01-31T00:00:00Z",
                hex(&Sha256::digest("atk_00"))
            )
        );
        let plain = New {
            user: "bob".into(),
            roles: Vec::new(),
            expires: None,
        };
        assert!(super::entry("atk_00", &plain).unwrap().ends_with(":bob"));
        let wrong = New {
            user: "a:b".into(),
            roles: Vec::new(),
            expires: None,
        };
        assert!(super::entry("atk_00", &wrong).is_err());
    }
}
