//! Keys that sign, are published, and rotate.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use http::{HeaderValue, header};
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Answer;

/// Of the size that Google's have.
const BITS: usize = 2048;
/// Making one takes a while, so that all fakes of a process take theirs from a few, under new ids.
const POOL: usize = 3;

/// The present key and the one before.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Counts rotations.
    generation: usize,
    /// Seconds.
    pub(crate) max_age: u64,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            generation: 1,
            max_age: 19_800,
        }
    }
}

fn pool(generation: usize) -> &'static RsaPrivateKey {
    static KEYS: [OnceLock<RsaPrivateKey>; POOL] = [const { OnceLock::new() }; POOL];
    KEYS[generation % POOL].get_or_init(|| {
        RsaPrivateKey::new(&mut UnwrapErr(SysRng), BITS).unwrap_or_else(|error| panic!("a key: {error}"))
    })
}

/// A few characters that nobody can foresee.
pub(crate) fn unpredictable() -> String {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("randomness: {error}"));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key's id, as long as Google's.
fn id(generation: usize) -> String {
    let digest = Sha256::digest(format!("key {generation}"));
    digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

impl Keys {
    pub(crate) fn rotate(&mut self) {
        self.generation += 1;
    }

    pub(crate) fn id(&self) -> String {
        id(self.generation)
    }

    pub(crate) fn published(&self) -> Answer {
        let keys: Vec<Value> = [self.generation, self.generation - 1]
            .into_iter()
            .map(|generation| {
                let public = RsaPublicKey::from(pool(generation));
                let number = |bytes: Box<[u8]>| URL_SAFE_NO_PAD.encode(bytes);
                json!({
                    "kty": "RSA", "alg": "RS256", "use": "sig", "kid": id(generation),
                    "n": number(public.n().to_be_bytes_trimmed_vartime()),
                    "e": number(public.e().to_be_bytes_trimmed_vartime()),
                })
            })
            .collect();
        let cached = format!("public, max-age={}, must-revalidate, no-transform", self.max_age);
        Answer::json(&json!({ "keys": keys })).with(
            header::CACHE_CONTROL,
            HeaderValue::from_str(&cached).unwrap_or(HeaderValue::from_static("no-store")),
        )
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": self.id(), "typ": "JWT" });
        self.sign_as(&header, claims)
    }

    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let content = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let key = SigningKey::<Sha256>::new(pool(self.generation).clone());
        let signature = key.sign(content.as_bytes());
        format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}
