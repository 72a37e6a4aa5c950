//! Where a Redis server is.

use std::fmt;
use std::time::Duration;

use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use ::redis::{RedisError, io::tcp::TcpSettings};
use anyturn_state::Error;

use super::RedisOptions;

/// A server's address with its credentials. Displays without them.
pub(super) struct Address {
    info: ConnectionInfo,
    certificate_authority: Option<Vec<u8>>,
}

impl Address {
    pub(super) fn parse(url: &str, options: &RedisOptions) -> Result<Self, Error> {
        // The parser's own message could quote what it was given.
        let info = url.into_connection_info().map_err(|_| {
            Error::Invalid(
                "the Redis address is none: it should look like redis://[user][:password@]host[:port][/database], \
                 rediss:// for TLS, or unix:///path/of/the/socket; reserved characters in a password are \
                 percent-encoded"
                    .to_owned(),
            )
        })?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // Another provider may have been installed by the process; either will do.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        // A server that vanished without a word must not be waited for until the kernel's own time-out.
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(Duration::from_secs(10));
        let info = info.set_tcp_settings(tcp);
        Ok(Self {
            info,
            certificate_authority: options.certificate_authority.clone(),
        })
    }

    /// A client for this address that has not connected yet, with a change to its settings.
    pub(super) fn client(
        &self,
        settings: impl FnOnce(::redis::RedisConnectionInfo) -> ::redis::RedisConnectionInfo,
    ) -> Result<Client, Error> {
        let redis = settings(self.info.redis_settings().clone());
        let info = self.info.clone().set_redis_settings(redis);
        let client = match &self.certificate_authority {
            Some(pem) if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => Client::build_with_tls(
                info,
                TlsCertificates {
                    client_tls: None,
                    root_cert: Some(pem.clone()),
                },
            ),
            _ => Client::open(info),
        };
        client.map_err(|error| Error::Invalid(format!("cannot connect to {self}: {error}")))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, database {}",
            self.info.addr(),
            self.info.redis_settings().db()
        )
    }
}

/// What to tell people when the server did not do what it was asked.
pub(super) fn unavailable(error: &RedisError) -> Error {
    Error::Unavailable(format!("Redis: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, Error> {
        Address::parse(url, &RedisOptions::default())
    }

    #[test]
    fn an_address_is_displayed_without_credentials() {
        for (url, displayed) in [
            ("redis://redis.example", "redis.example:6379, database 0"),
            (
                "redis://me:s3cret@redis.example:7000/3",
                "redis.example:7000, database 3",
            ),
            ("rediss://:s3cret@redis.example", "redis.example:6379, database 0"),
            ("unix:///run/redis.sock", "/run/redis.sock, database 0"),
        ] {
            assert_eq!(
                parse(url).map(|address| address.to_string()),
                Ok(displayed.to_owned()),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_quoted() {
        for url in [
            "",
            "localhost",
            "http://:s3cret@redis.example",
            "redis://:s3cret@",
            "redis://h:s3cret",
        ] {
            match parse(url).err() {
                Some(Error::Invalid(message)) => {
                    assert!(message.contains("redis://"), "{url}: {message}");
                    assert!(!message.contains("s3cret"), "{url}: {message}");
                }
                other => panic!("{url}: {other:?}"),
            }
        }
    }
}
