//! What is configured, parsed into what cannot be wrong.
//!
//! Signing in and connecting an account need different variables, and each is asked for by itself: an application
//! that only signs people in needs no key to seal tokens with. What is missing or wrong is a [`SettingsError`] that
//! names the variable, and never holds its value where that is secret.

use anyturn_identity::JwtIssuer;
use http::Uri;

use crate::platform::Platform;
use crate::seal::Keyring;
use crate::secret::Secret;

/// A variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{variable}` {reason}")]
pub struct SettingsError {
    /// Which one.
    pub variable: &'static str,
    /// What is wrong, and what would be right.
    pub reason: String,
    /// Whether it is just not set.
    pub missing: bool,
}

/// Who may sign in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Makes our tokens.
    pub issuer: JwtIssuer,
    /// The client ids that Google's ID tokens may be for.
    pub audiences: Vec<String>,
    /// The hosted domains whose members may sign in; empty for everybody.
    pub domains: Vec<String>,
    /// Where Google publishes its keys.
    pub certs_url: String,
}

/// How accounts are connected.
#[derive(Clone, Debug)]
pub struct Connecting {
    /// What seals tokens.
    pub keyring: Keyring,
    /// The client that Google knows.
    pub client: Client,
    /// The public address of `/auth/google/callback`.
    pub redirect_uri: String,
    /// Where the callback may send a browser on to.
    pub return_urls: Vec<String>,
    /// The hosted domains whose accounts may be connected; empty for all.
    pub domains: Vec<String>,
    /// Google's page of consent: the address without a path.
    pub accounts_url: String,
    /// Google's endpoints for tokens: the address without a path.
    pub oauth_url: String,
    /// Where Google publishes its keys.
    pub certs_url: String,
}

/// An OAuth client of type "web application".
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

macro_rules! variables {
    ($($name:ident)*) => {
        /// The variables as they are set; an empty one is not set.
        #[derive(Clone, Default)]
        #[allow(missing_docs, reason = "spin.toml describes them")]
        pub struct Variables {
            $(pub $name: String,)*
        }

        impl Variables {
            /// Reads all of them.
            ///
            /// # Errors
            /// When one cannot be resolved.
            pub async fn read<P: Platform>(platform: &P) -> Result<Self, String> {
                Ok(Self { $($name: platform.variable(stringify!($name)).await?.trim().to_owned(),)* })
            }

            /// Takes all of them from elsewhere.
            pub fn from(value: impl Fn(&'static str) -> String) -> Self {
                Self { $($name: value(stringify!($name)).trim().to_owned(),)* }
            }
        }
    };
}

variables! {
    google_client_id google_client_secret google_sign_in_client_ids google_hosted_domains
    google_redirect_uri google_return_urls google_accounts_url google_oauth_url google_certs_url
    token_keys jwt_secret jwt_issuer jwt_audience
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variables").finish_non_exhaustive()
    }
}

impl Variables {
    /// What signing in needs.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn sign_in(&self) -> Result<SignIn, SettingsError> {
        let audiences = self.audiences();
        if audiences.is_empty() {
            return Err(missing(
                "google_client_id",
                "is not set: it is the id of an OAuth client in Google's console, and sign-in with Google needs it",
            ));
        }
        if self.jwt_secret.is_empty() {
            return Err(missing(
                "jwt_secret",
                "is not set: whoever signs in gets a token that is signed with it",
            ));
        }
        let issuer = JwtIssuer::new(&self.jwt_secret, &self.jwt_issuer, &self.jwt_audience)
            .map_err(|anyturn_identity::ConfigError { variable, reason }| wrong(variable, reason))?;
        Ok(SignIn {
            issuer,
            audiences,
            domains: self.domains(),
            certs_url: address("google_certs_url", &self.google_certs_url)?,
        })
    }

    /// What connecting an account needs.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn connecting(&self) -> Result<Connecting, SettingsError> {
        for (variable, value, what) in [
            ("google_client_id", &self.google_client_id, CLIENT),
            ("google_client_secret", &self.google_client_secret, CLIENT),
            (
                "google_redirect_uri",
                &self.google_redirect_uri,
                "the public address of /api/auth/google/callback, as the OAuth client lists it",
            ),
            (
                "token_keys",
                &self.token_keys,
                "the keys that Google's tokens are sealed with before they are stored: `id:key`, where a key is what \
                 `openssl rand -base64 32` prints",
            ),
        ] {
            if value.is_empty() {
                let reason = format!("is not set, and connecting a Google account needs it: {what}");
                return Err(missing(variable, reason));
            }
        }
        let return_urls: Vec<String> = list(&self.google_return_urls);
        if let Some(position) = return_urls.iter().position(|url| !is_return_url(url)) {
            let reason = format!(
                "is wrong: address {} must be absolute and without a fragment, such as https://app.example.com/done or \
                 com.example.app://connected",
                position + 1
            );
            return Err(wrong("google_return_urls", reason));
        }
        Ok(Connecting {
            keyring: Keyring::parse(&self.token_keys).map_err(|reason| wrong("token_keys", reason))?,
            client: Client {
                id: self.google_client_id.clone(),
                secret: Secret::new(self.google_client_secret.clone()),
            },
            redirect_uri: address("google_redirect_uri", &self.google_redirect_uri)?,
            return_urls,
            domains: self.domains(),
            accounts_url: address("google_accounts_url", &self.google_accounts_url)?,
            oauth_url: address("google_oauth_url", &self.google_oauth_url)?,
            certs_url: address("google_certs_url", &self.google_certs_url)?,
        })
    }

    /// All that is wrong or half done, for a check before the start.
    #[must_use]
    pub fn check(&self) -> Vec<SettingsError> {
        let mut errors: Vec<SettingsError> = Vec::new();
        let mut add = |error: SettingsError| {
            if errors.iter().all(|known| known.variable != error.variable) {
                errors.push(error);
            }
        };
        // Without a secret nobody signs in, but a local user can still connect an account.
        let only_connects = self.jwt_secret.is_empty() && !self.google_client_secret.is_empty();
        if !self.audiences().is_empty() && !only_connects {
            self.sign_in().err().into_iter().for_each(&mut add);
        }
        let connects = [
            &self.google_client_secret,
            &self.google_redirect_uri,
            &self.google_return_urls,
            &self.token_keys,
        ];
        if connects.iter().any(|value| !value.is_empty()) {
            self.connecting().err().into_iter().for_each(&mut add);
        }
        errors
    }

    fn audiences(&self) -> Vec<String> {
        let mut audiences = list(&self.google_sign_in_client_ids);
        if !self.google_client_id.is_empty() {
            audiences.insert(0, self.google_client_id.clone());
        }
        audiences
    }

    fn domains(&self) -> Vec<String> {
        list(&self.google_hosted_domains)
    }
}

const CLIENT: &str = "the OAuth client of type “web application” in Google's console";

fn list(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n'])
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

/// An absolute address over HTTP, without a slash at its end.
fn address(variable: &'static str, text: &str) -> Result<String, SettingsError> {
    let text = text.trim_end_matches('/');
    let is_address = text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    // A `Uri` drops a fragment without a word.
    if is_address && !text.contains(['#', '@']) {
        Ok(text.to_owned())
    } else {
        let reason = "is wrong: it must be an absolute address such as https://example.com/path";
        Err(wrong(variable, reason))
    }
}

/// Whether a browser can be sent there without running anything: an absolute address that a header can hold.
fn is_return_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let begins = scheme
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic());
    let scheme = scheme.to_ascii_lowercase();
    begins
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !matches!(
            scheme.as_str(),
            "javascript" | "data" | "vbscript" | "file" | "blob"
        )
        && !rest.is_empty()
        && !rest.starts_with('/')
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn missing(variable: &'static str, reason: impl Into<String>) -> SettingsError {
    SettingsError {
        variable,
        reason: reason.into(),
        missing: true,
    }
}

fn wrong(variable: &'static str, reason: impl Into<String>) -> SettingsError {
    SettingsError {
        variable,
        reason: reason.into(),
        missing: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn complete() -> Variables {
        Variables {
            google_client_id: "web.apps.example".into(),
            google_client_secret: "GOCSPX-secret".into(),
            google_sign_in_client_ids: "ios.apps.example, android.apps.example".into(),
            google_redirect_uri: "https://a.example/api/auth/google/callback".into(),
            google_return_urls: "https://a.example/done?x=1 com.example.app://connected".into(),
            google_accounts_url: "https://accounts.google.com/".into(),
            google_oauth_url: "https://oauth2.googleapis.com".into(),
            google_certs_url: "https://www.googleapis.com/oauth2/v3/certs".into(),
            token_keys: format!("a:{}", STANDARD.encode([1; 32])),
            jwt_secret: "x".repeat(32),
            ..Variables::default()
        }
    }

    #[test]
    fn what_is_complete_is_taken_over() {
        let variables = complete();
        assert_eq!(
            variables.sign_in().unwrap().audiences,
            ["web.apps.example", "ios.apps.example", "android.apps.example"]
        );
        let connecting = variables.connecting().unwrap();
        assert_eq!(connecting.accounts_url, "https://accounts.google.com");
        assert_eq!(connecting.return_urls.len(), 2);
        assert!(variables.check().is_empty());
        assert!(!format!("{connecting:?} {variables:?}").contains("GOCSPX"));
    }

    #[test]
    fn nothing_configured_is_nothing_wrong() {
        let nothing = Variables {
            google_accounts_url: "https://accounts.google.com".into(),
            jwt_secret: "x".repeat(32),
            ..Variables::default()
        };
        assert!(nothing.check().is_empty());
        assert_eq!(nothing.sign_in().unwrap_err().variable, "google_client_id");
        assert!(nothing.connecting().unwrap_err().missing);
    }

    #[test]
    fn what_is_half_configured_names_the_variable() {
        type Change = fn(&mut Variables);
        let half: [(Change, &str); 8] = [
            (|v| v.token_keys.clear(), "token_keys"),
            (|v| v.google_redirect_uri.clear(), "google_redirect_uri"),
            (|v| v.google_client_secret.clear(), "google_client_secret"),
            (
                |v| v.google_redirect_uri = "/callback".into(),
                "google_redirect_uri",
            ),
            (|v| v.token_keys = "a:b".into(), "token_keys"),
            (|v| v.jwt_secret = "short".into(), "jwt_secret"),
            (|v| v.google_return_urls = "/done".into(), "google_return_urls"),
            (|v| v.google_oauth_url = "oauth".into(), "google_oauth_url"),
        ];
        for (change, variable) in half {
            let mut variables = complete();
            change(&mut variables);
            let errors = variables.check();
            assert_eq!(errors.len(), 1, "{variable}: {errors:?}");
            assert_eq!(errors[0].variable, variable);
        }
        let sign_in_only = Variables {
            google_client_secret: String::new(),
            google_redirect_uri: String::new(),
            google_return_urls: String::new(),
            token_keys: String::new(),
            ..complete()
        };
        assert!(sign_in_only.check().is_empty(), "that is a choice");
    }

    #[test]
    fn a_return_address_runs_nothing_and_splits_no_header() {
        for good in [
            "https://a.example",
            "com.example.app://done",
            "http://localhost:3000/x?y",
        ] {
            assert!(is_return_url(good), "{good}");
        }
        for bad in [
            "javascript://a%0aalert(1)",
            "data://x",
            "//a.example",
            "https:///x",
            "https://",
            "1a://x",
            "https://a.example/#x",
            "https://a.example/\r\nset-cookie:x",
            "done",
        ] {
            assert!(!is_return_url(bad), "{bad}");
        }
    }
}
