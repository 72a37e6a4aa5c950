//! What a signed-in caller can rely on, and what nobody gets past.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers included"
)]

use anyturn_identity::{
    Config, Credentials, Identity, JwtIssuer, Mode, RateLimit, TokenError, Unidentified, Variables, new_key,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: u64 = 1_700_000_000_000;
const SECONDS: u64 = NOW / 1000;

fn sign(header: &Value, claims: &Value, secret: &str) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn token(claims: Value) -> String {
    sign(&json!({"alg": "HS256", "typ": "JWT"}), &claims, SECRET)
}

fn with(variables: Variables<'_>, authorization: &str) -> Result<Identity, Unidentified> {
    let credentials = Credentials {
        authorization: Some(authorization),
        api_key: None,
    };
    Config::parse(&variables).unwrap().identify(&credentials, NOW)
}

fn verify(token: &str) -> Result<Identity, Unidentified> {
    with(
        Variables {
            jwt_secret: SECRET,
            ..Variables::default()
        },
        &format!("Bearer {token}"),
    )
}

fn refused(token: &str) -> TokenError {
    match verify(token) {
        Err(Unidentified::Token(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_of_rfc_7515_verifies() {
    // Appendix A.1; its key is 64 bytes, given as base64url; it expired in 2011 and names nobody.
    let key = URL_SAFE_NO_PAD
        .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
        .unwrap();
    let verifier = anyturn_identity::JwtVerifier::new(&key, Some("joe"), None).unwrap();
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(verifier.verify(token, NOW), Err(TokenError::Expired));
    assert_eq!(verifier.verify(token, 1_300_819_000_000), Err(TokenError::NoUser));
}

#[test]
fn a_token_names_its_user_and_roles() {
    let who = verify(&token(
        json!({"sub": "ana", "exp": SECONDS + 10, "roles": ["editor", "a,b"], "role": "admin editor"}),
    ));
    let who = who.unwrap();
    assert_eq!(who.user.as_str(), "ana");
    assert_eq!(who.roles, ["editor", "admin"]);
    let better_auth = verify(&token(json!({"id": "u1", "email": "a@b.c", "exp": SECONDS + 10}))).unwrap();
    assert_eq!(better_auth.user.as_str(), "u1");
}

#[test]
fn roles_that_could_break_out_of_a_header_are_not_taken_over() {
    let who = verify(&token(
        json!({"sub": "ana", "exp": SECONDS + 10, "roles": ["x\r\ny: z", "ok"]}),
    ))
    .unwrap();
    assert_eq!(who.roles, ["ok"]);
}

#[test]
fn another_algorithm_is_refused_even_with_a_good_signature() {
    let claims = json!({"sub": "ana", "exp": SECONDS + 10});
    assert_eq!(
        refused(&sign(&json!({"alg": "HS512"}), &claims, SECRET)),
        TokenError::Algorithm
    );
    let none = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    assert_eq!(refused(&none), TokenError::Algorithm);
    assert_eq!(
        refused(&sign(&json!({"alg": "HS256", "crit": ["x"]}), &claims, SECRET)),
        TokenError::Critical
    );
}

#[test]
fn a_changed_token_is_refused() {
    let good = token(json!({"sub": "ana", "exp": SECONDS + 10}));
    let other = token(json!({"sub": "bob", "exp": SECONDS + 10}));
    let (_, signature) = good.rsplit_once('.').unwrap();
    let (signed, _) = other.rsplit_once('.').unwrap();
    assert_eq!(refused(&format!("{signed}.{signature}")), TokenError::Signature);
    let foreign = sign(
        &json!({"alg": "HS256"}),
        &json!({"sub": "ana", "exp": SECONDS + 10}),
        &"x".repeat(32),
    );
    assert_eq!(refused(&foreign), TokenError::Signature);
    assert_eq!(refused(&good[..good.len() - 3]), TokenError::Signature);
}

#[test]
fn time_is_checked_with_a_minute_of_leeway() {
    assert!(verify(&token(json!({"sub": "ana", "exp": SECONDS - 59}))).is_ok());
    assert_eq!(
        refused(&token(json!({"sub": "ana", "exp": SECONDS - 60}))),
        TokenError::Expired
    );
    assert_eq!(refused(&token(json!({"sub": "ana"}))), TokenError::NoExpiry);
    assert!(
        verify(&token(
            json!({"sub": "ana", "exp": SECONDS + 90, "nbf": SECONDS + 60})
        ))
        .is_ok()
    );
    assert_eq!(
        refused(&token(
            json!({"sub": "ana", "exp": SECONDS + 90, "nbf": SECONDS + 61})
        )),
        TokenError::NotYet
    );
}

#[test]
fn issuer_and_audience_count_when_they_are_configured() {
    let variables = Variables {
        jwt_secret: SECRET,
        jwt_issuer: "https://app.example",
        jwt_audience: "anyturn",
        ..Variables::default()
    };
    let check = |claims: Value| with(variables, &format!("Bearer {}", token(claims)));
    let good = json!({"sub": "a", "exp": SECONDS + 9, "iss": "https://app.example", "aud": ["x", "anyturn"]});
    assert!(check(good).is_ok());
    let bad = json!({"sub": "a", "exp": SECONDS + 9, "iss": "https://evil.example", "aud": "anyturn"});
    assert_eq!(check(bad), Err(TokenError::Issuer.into()));
    let bad = json!({"sub": "a", "exp": SECONDS + 9, "iss": "https://app.example"});
    assert_eq!(check(bad), Err(TokenError::Audience.into()));
}

#[test]
fn what_is_no_token_says_so() {
    for bad in ["x", "x.y", "..", "a.b.c", "é.é.é"] {
        assert!(matches!(refused(bad), TokenError::Malformed(_)), "{bad}");
    }
    let odd = token(json!({"sub": 7, "exp": SECONDS + 10}));
    assert!(matches!(refused(&odd), TokenError::Malformed(_)));
    let long = token(json!({"sub": "a".repeat(20_000), "exp": SECONDS + 10}));
    assert!(matches!(refused(&long), TokenError::Malformed(_)));
    assert_eq!(refused(&token(json!({"exp": SECONDS + 10}))), TokenError::NoUser);
}

#[test]
fn keys_come_by_either_header_and_end_when_they_expire() {
    let (key, old) = (new_key([1; 32]), new_key([2; 32]));
    let entries = format!(
        "{}:ana:editor\n{}:bob::2020-01-01T00:00:00Z;",
        key.sha256, old.sha256
    );
    let config = Config::parse(&Variables {
        api_keys: &entries,
        ..Variables::default()
    })
    .unwrap();
    assert_eq!(
        config.mode(),
        Mode::Credentials {
            tokens: false,
            keys: 2
        }
    );
    let by_header = Credentials {
        authorization: None,
        api_key: Some(&key.key),
    };
    assert_eq!(config.identify(&by_header, NOW).unwrap().roles, ["editor"]);
    let bearer = format!("bearer {}", key.key);
    let by_bearer = Credentials {
        authorization: Some(&bearer),
        api_key: None,
    };
    assert_eq!(config.identify(&by_bearer, NOW).unwrap().user.as_str(), "ana");
    let expired = Credentials {
        authorization: None,
        api_key: Some(&old.key),
    };
    assert_eq!(config.identify(&expired, NOW), Err(Unidentified::ExpiredKey));
    let unknown = Credentials {
        authorization: None,
        api_key: Some("ak_x"),
    };
    assert_eq!(config.identify(&unknown, NOW), Err(Unidentified::UnknownKey));
    let token = Credentials {
        authorization: Some("Bearer a.b.c"),
        api_key: None,
    };
    assert_eq!(config.identify(&token, NOW), Err(Unidentified::TokensOff));
}

#[test]
fn the_challenge_says_what_is_wrong_and_nothing_secret() {
    let error = with(
        Variables {
            jwt_secret: SECRET,
            ..Variables::default()
        },
        "Basic abc",
    )
    .unwrap_err();
    assert_eq!(
        error.www_authenticate(),
        r#"Bearer realm="anyturn", error="invalid_request", error_description="the 'Authorization' header must read 'Bearer <token>'""#
    );
    let error = verify("x.y.z").unwrap_err();
    assert!(error.www_authenticate().contains(r#"error="invalid_token""#));
    let config = Config::parse(&Variables::default()).unwrap();
    let error = config.identify(&Credentials::default(), NOW).unwrap_err();
    assert_eq!(error, Unidentified::Unconfigured);
    assert!(error.to_string().contains("`jwt_secret`") && error.to_string().contains("`development_user`"));
    assert_eq!(error.www_authenticate(), r#"Bearer realm="anyturn""#);
    let debug = format!(
        "{:?}",
        Config::parse(&Variables {
            jwt_secret: SECRET,
            ..Variables::default()
        })
        .unwrap()
    );
    assert!(!debug.contains("0123") && !debug.contains("48, 49"), "{debug}");
}

#[test]
fn a_wrong_variable_is_named() {
    let wrong = |variables: Variables<'_>| Config::parse(&variables).unwrap_err().to_string();
    assert_eq!(
        wrong(Variables {
            jwt_secret: "short",
            ..Variables::default()
        }),
        "the variable `jwt_secret` is 5 bytes long; HS256 needs at least 32 (RFC 7518, section 3.2): \
         `openssl rand -base64 48` makes a good one"
    );
    assert_eq!(
        wrong(Variables {
            jwt_issuer: "x",
            ..Variables::default()
        }),
        "the variable `jwt_issuer` is set, but `jwt_secret` is not: set both, or neither"
    );
    assert!(
        wrong(Variables {
            api_keys: "; x:y",
            ..Variables::default()
        })
        .contains("`api_keys` is wrong: entry 1")
    );
    assert_eq!(
        wrong(Variables {
            rate_limit_per_minute: "many",
            ..Variables::default()
        }),
        "the variable `rate_limit_per_minute` is `many`; it must be a whole number of requests, 0 for no limit"
    );
    assert!(
        wrong(Variables {
            jwt_secret: SECRET,
            development_user: "me",
            ..Variables::default()
        })
        .contains("`development_user` lets everybody in")
    );
}

#[test]
fn the_limit_can_be_set_and_switched_off() {
    let limit = |value| {
        let variables = Variables {
            rate_limit_per_minute: value,
            ..Variables::default()
        };
        Config::parse(&variables).unwrap().rate_limit
    };
    let per_minute = |limit: u32| RateLimit::per_minute(limit.try_into().unwrap());
    assert_eq!(limit(""), Some(per_minute(600)));
    assert_eq!(limit("5"), Some(per_minute(5)));
    assert_eq!(limit("0"), None);
}

#[test]
fn a_token_of_ours_is_accepted_under_the_same_variables_and_ends() {
    let variables = Variables {
        jwt_secret: SECRET,
        jwt_issuer: "https://a.example",
        jwt_audience: "app",
        ..Variables::default()
    };
    let issuer = JwtIssuer::new(SECRET, "https://a.example", "app").unwrap();
    let token = issuer.issue("google-117 %", NOW, 3600);
    let verify = |now| {
        let authorization = format!("Bearer {token}");
        let credentials = Credentials {
            authorization: Some(&authorization),
            ..Credentials::default()
        };
        Config::parse(&variables).unwrap().identify(&credentials, now)
    };
    let caller = verify(NOW).unwrap();
    assert_eq!(
        (caller.user.as_str(), caller.roles.len()),
        ("google-117%20%25", 0)
    );
    assert!(verify(NOW + 3_659_000).is_ok());
    assert_eq!(
        verify(NOW + 3_661_000),
        Err(Unidentified::Token(TokenError::Expired))
    );
    assert!(!format!("{issuer:?}").contains(SECRET));
}

#[test]
fn an_issuer_wants_a_secret_that_a_verifier_takes() {
    let error = JwtIssuer::new("short", "", "").unwrap_err().to_string();
    assert!(error.contains("`jwt_secret` is 5 bytes long"), "{error}");
}
