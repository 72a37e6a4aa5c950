//! Which server a connection is to be opened to: found anew for each connection.
//!
//! Sentinels are asked each time, so whoever connects again after a fail-over finds the new primary. The answer is
//! believed when the server itself says that it is a primary ("Guidelines for Redis clients with support for Redis
//! Sentinel", redis.io).

use std::sync::Arc;
use std::time::Duration;

use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{Client, ConnectionAddr, ErrorKind, ProtocolVersion, RedisError, TlsMode};
use anyturn_state::Error;
use tokio::sync::watch;
use tokio::time::timeout;

use super::address::{Access, Node, Sentinels};

/// Finds a server, and makes clients of it.
pub(super) struct Source {
    access: Access,
    place: Place,
}

enum Place {
    /// Always the same one.
    Server(ConnectionAddr),
    /// The primary that sentinels name.
    Sentinel(Box<SentinelClient>),
    /// Any member of a cluster, each time the next one, because the last may have failed.
    Member { members: Members, next: usize },
}

/// The servers that are in a cluster now, replicas included.
pub(super) type Members = watch::Receiver<Arc<[Node]>>;

impl Source {
    /// A server that does not change.
    pub(super) fn server(access: &Access, address: ConnectionAddr) -> Self {
        Self {
            access: access.clone(),
            place: Place::Server(address),
        }
    }

    /// The primary of sentinels.
    pub(super) fn primary(access: &Access, sentinels: &Sentinels) -> Result<Self, Error> {
        let client = sentinel_client(access, sentinels)
            .map_err(|error| Error::Invalid(format!("the sentinels cannot be connected to: {error}")))?;
        Ok(Self {
            access: access.clone(),
            place: Place::Sentinel(Box::new(client)),
        })
    }

    /// Some member of a cluster.
    pub(super) fn member(access: &Access, members: Members) -> Self {
        Self {
            access: access.clone(),
            place: Place::Member {
                members,
                // Hosts that start at the same time do not all choose the same one.
                next: std::process::id() as usize,
            },
        }
    }

    /// Finds the server for the next connection.
    pub(super) async fn find(&mut self, within: Duration) -> Result<ConnectionAddr, RedisError> {
        match &mut self.place {
            Place::Server(address) => Ok(address.clone()),
            Place::Sentinel(client) => {
                let primary = match timeout(within, client.async_get_client()).await {
                    Ok(primary) => primary?,
                    Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
                };
                Ok(primary.get_connection_info().addr().clone())
            }
            Place::Member { members, next } => {
                let members = members.borrow();
                *next = next.wrapping_add(1);
                let member = next.checked_rem(members.len()).and_then(|at| members.get(at));
                match member {
                    Some(node) => Ok(self.access.address(node)),
                    None => Err(RedisError::from((
                        ErrorKind::ClusterConnectionNotFound,
                        "no member of the cluster is known",
                    ))),
                }
            }
        }
    }

    /// Whether what was found is still to be used. Others than members of a cluster say so themselves, by closing
    /// their connections.
    pub(super) fn holds(&self, found: &ConnectionAddr) -> bool {
        match &self.place {
            Place::Server(_) | Place::Sentinel(_) => true,
            Place::Member { members, .. } => {
                let members = members.borrow();
                members.iter().any(|node| self.access.address(node) == *found)
            }
        }
    }

    /// A client of a server that was found.
    pub(super) fn client(
        &self,
        address: ConnectionAddr,
        protocol: ProtocolVersion,
    ) -> Result<Client, RedisError> {
        self.access.client(address, protocol)
    }
}

fn sentinel_client(access: &Access, sentinels: &Sentinels) -> Result<SentinelClient, RedisError> {
    let nodes = sentinels.nodes.iter().map(|node| access.address(node));
    let mut builder = SentinelClientBuilder::new(nodes, &sentinels.primary, SentinelServerType::Master)?
        .set_client_to_sentinel_tcp_settings(access.tcp())
        .set_client_to_redis_tcp_settings(access.tcp())
        .set_client_to_redis_db(access.credentials.db());
    if let Some(username) = access.credentials.username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = access.credentials.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = &sentinels.username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &sentinels.password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if access.tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = access.certificates() {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    builder.build()
}
