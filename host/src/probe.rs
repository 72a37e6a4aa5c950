//! A store that components reach by themselves (`--state component`): the host has no connection to it, and asks for a
//! sign of life only when it is asked for one.

use std::time::Duration;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where such a store is.
pub(crate) struct Probe(redis::Client);

impl Probe {
    /// A probe of the store at an address, if it is one of a single Redis server.
    pub(crate) fn new(url: &str) -> Option<Self> {
        redis::Client::open(url).ok().map(Self)
    }

    /// Asks, over a connection of its own.
    ///
    /// # Errors
    ///
    /// The reason, without credentials.
    pub(crate) async fn ping(&self) -> Result<(), String> {
        let asking = async {
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
            let mut connection = self
                .0
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            redis::cmd("PING").query_async::<()>(&mut connection).await
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer in time".to_owned()),
        }
    }
}
