//! Scripts over `spin:redis`.
//!
//! `execute` flattens what is nested in a reply, which does no harm: the scripts return one string.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyturn_state::schema::{Arg, Backend, Client, Invocation, Waiter};
use anyturn_state::{Error, limits};
use futures::future::{Either, select};
use spin_sdk::redis::{Connection, Error as RedisError, RedisParameter, RedisResult};
use spin_sdk::{time, variables};

/// Spin waits for an answer for ever.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one blocking command waits. A Spin that gives up on answers after half a second, as its Redis
/// library does by default from version 1 on, must not take it for lost.
const BLOCK: Duration = Duration::from_millis(400);

/// The Redis that the variables name.
pub(crate) struct SpinRedis {
    url: String,
    /// Opened by the first operation, given up after a failure.
    shared: RefCell<Option<Rc<Connection>>>,
}

/// The namespace that the variables name.
pub(crate) async fn open() -> Result<Client<SpinRedis>, Error> {
    let url = variable(
        "redis_url",
        "the address of a Redis, because state lies there under Spin",
    )
    .await?;
    let namespace = variable("state_namespace", "the name of the component whose state this is").await?;
    limits::namespace(&namespace)?;
    Ok(Client::new(
        SpinRedis {
            url,
            shared: RefCell::new(None),
        },
        namespace,
    ))
}

async fn variable(name: &str, meaning: &str) -> Result<String, Error> {
    match variables::get(name).await {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) | Err(variables::Error::Undefined(_)) => Err(Error::Unavailable(format!(
            "the variable {name} is not set: {meaning}"
        ))),
        Err(error) => Err(Error::Unavailable(format!(
            "the variable {name} cannot be read: {error}"
        ))),
    }
}

impl SpinRedis {
    async fn connect(&self) -> Result<Connection, Error> {
        if names_several_servers(&self.url) {
            return Err(one_server_only(
                "redis_url names sentinels or a cluster, and this component can use one server only",
            ));
        }
        match within(RESPONSE_TIMEOUT, Connection::open(&self.url)).await? {
            Ok(connection) => Ok(connection),
            Err(RedisError::InvalidAddress) => Err(Error::Unavailable(
                "redis_url is no Redis address, or the component's allowed_outbound_hosts do not contain it"
                    .to_owned(),
            )),
            Err(error) => Err(self.verdict(error)),
        }
    }

    async fn shared(&self) -> Result<Rc<Connection>, Error> {
        if let Some(connection) = &*self.shared.borrow() {
            return Ok(Rc::clone(connection));
        }
        // Operations that run side by side may each open one; the last stays.
        let connection = Rc::new(self.connect().await?);
        self.shared.replace(Some(Rc::clone(&connection)));
        Ok(connection)
    }

    async fn run(&self, connection: &Connection, call: &Invocation) -> Result<Vec<RedisResult>, RedisError> {
        match connection
            .execute("EVALSHA", arguments(call.script.sha1, call))
            .await
        {
            Err(RedisError::Other(message)) if is_unknown_script(&message) => {
                connection
                    .execute("EVAL", arguments(call.script.source, call))
                    .await
            }
            result => result,
        }
    }

    fn verdict(&self, error: RedisError) -> Error {
        let message = match error {
            RedisError::InvalidAddress => "the address is none".to_owned(),
            RedisError::TooManyConnections => "too many connections are open".to_owned(),
            RedisError::TypeError => "the answer was of another type".to_owned(),
            RedisError::Other(message) => message.replace(&self.url, "the configured address"),
        };
        if is_a_redirection(&message) {
            one_server_only(&format!(
                "the Redis is a cluster, and this component cannot go where it is redirected to ({message})"
            ))
        } else if is_about_the_data(&message) {
            Error::Corrupt(format!("Redis: {message}"))
        } else {
            Error::Unavailable(format!("Redis: {message}"))
        }
    }
}

impl Backend for SpinRedis {
    type Waiter<'a> = BlockingWaiter<'a>;

    async fn evaluate(&self, call: &Invocation) -> Result<Vec<u8>, Error> {
        let connection = self.shared().await?;
        let result = match within(RESPONSE_TIMEOUT, self.run(&connection, call)).await {
            Ok(Ok(reply)) => match string(reply) {
                Some(bytes) => return Ok(bytes),
                None => Error::Corrupt("Redis did not answer strings to a script".to_owned()),
            },
            Ok(Err(error)) => self.verdict(error),
            Err(late) => late,
        };
        self.shared.replace(None);
        Err(result)
    }

    async fn waiter(&self, key: String) -> Result<BlockingWaiter<'_>, Error> {
        // A connection of its own: a blocking command holds up everything behind it.
        Ok(BlockingWaiter {
            redis: self,
            connection: self.connect().await?,
            key,
        })
    }
}

/// Waits by `XREAD BLOCK`, which returns at once when the entry is there already.
pub(crate) struct BlockingWaiter<'a> {
    redis: &'a SpinRedis,
    connection: Connection,
    key: String,
}

impl Waiter for BlockingWaiter<'_> {
    async fn wait(&mut self, start: u64, time: Duration) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            // 0 would block for ever. The entry at a position has the id after it: see the schema.
            let block = i64::try_from(left.min(BLOCK).as_millis()).unwrap_or(0).max(1);
            let arguments = [
                RedisParameter::Binary(b"BLOCK".to_vec()),
                RedisParameter::Int64(block),
                RedisParameter::Binary(b"COUNT".to_vec()),
                RedisParameter::Int64(1),
                RedisParameter::Binary(b"STREAMS".to_vec()),
                RedisParameter::Binary(self.key.clone().into_bytes()),
                RedisParameter::Binary(format!("{start}-0").into_bytes()),
            ];
            let read = self.connection.execute("XREAD", arguments);
            let found = within(BLOCK + RESPONSE_TIMEOUT, read).await?;
            let found = found.map_err(|error| self.redis.verdict(error))?;
            if !found.iter().all(|value| matches!(value, RedisResult::Nil)) {
                return Ok(());
            }
        }
    }
}

/// The string that a script answers, whole or in pieces.
fn string(mut reply: Vec<RedisResult>) -> Option<Vec<u8>> {
    if reply.len() <= 1 {
        return match reply.pop() {
            Some(RedisResult::Binary(bytes)) => Some(bytes),
            _ => None,
        };
    }
    let mut whole = Vec::new();
    for piece in &reply {
        match piece {
            RedisResult::Binary(bytes) => whole.extend_from_slice(bytes),
            _ => return None,
        }
    }
    Some(whole)
}

fn arguments(script: &str, call: &Invocation) -> Vec<RedisParameter> {
    let Invocation {
        script: _,
        keys,
        args,
    } = call;
    let mut arguments = Vec::with_capacity(2 + keys.len() + args.len());
    arguments.push(RedisParameter::Binary(script.into()));
    arguments.push(RedisParameter::Int64(
        i64::try_from(keys.len()).unwrap_or(i64::MAX),
    ));
    arguments.extend(
        keys.iter()
            .map(|key| RedisParameter::Binary(key.as_bytes().to_vec())),
    );
    arguments.extend(args.iter().map(|arg| match arg {
        Arg::Word(word) => RedisParameter::Binary(word.as_bytes().to_vec()),
        Arg::Integer(integer) => RedisParameter::Int64(*integer),
        Arg::Bytes(bytes) => RedisParameter::Binary(bytes.clone()),
    }));
    arguments
}

async fn within<T>(limit: Duration, action: impl Future<Output = T>) -> Result<T, Error> {
    match select(pin!(action), pin!(time::sleep(limit))).await {
        Either::Left((result, _)) => Ok(result),
        Either::Right(_) => Err(Error::Unavailable(format!(
            "Redis did not answer within {limit:?}"
        ))),
    }
}

/// The host passes the text of its Redis library on, which names this error differently from version to version
/// (`NOSCRIPT`, `NoScript`, `NoScriptError`) before it quotes the server.
fn is_unknown_script(message: &str) -> bool {
    message.contains("No matching script") || message.contains("NOSCRIPT")
}

/// What to do where one server is not enough.
fn one_server_only(reason: &str) -> Error {
    Error::Unavailable(format!(
        "{reason}: give it a single server or a proxy in front of the cluster (redis://…), or run the application in \
         anyturn's host, which provides the state itself and takes redis-sentinel:// and redis-cluster://"
    ))
}

fn names_several_servers(url: &str) -> bool {
    let (scheme, _) = url.split_once("://").unwrap_or_default();
    scheme.ends_with("-sentinel") || scheme.ends_with("-cluster")
}

/// The same variety of names as above, for `MOVED` and `ASK`, which are followed by a slot and an address.
fn is_a_redirection(message: &str) -> bool {
    ["MOVED", "Moved", "ASK", "Ask"].into_iter().any(|name| {
        let after = message
            .split_once(name)
            .map(|(_, after)| after.trim_start_matches([':', ' ']));
        after.is_some_and(|after| after.starts_with(|first: char| first.is_ascii_digit()))
    })
}

/// Errors that say that a script cannot work with what is stored; others may pass.
fn is_about_the_data(message: &str) -> bool {
    message.contains("WRONGTYPE") || message.contains("ResponseError") || message.starts_with("ERR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_both_generations_of_the_redis_library_are_recognised() {
        assert!(is_unknown_script(
            "NOSCRIPT: No matching script. Please use EVAL."
        ));
        assert!(is_unknown_script(
            "An error was signalled by the server - NoScriptError: No matching script."
        ));
        assert!(!is_unknown_script(
            "LOADING: Redis is loading the dataset in memory"
        ));
        assert!(is_about_the_data(
            "WRONGTYPE: Operation against a key holding the wrong kind of value"
        ));
        assert!(is_about_the_data(
            "An error was signalled by the server - ResponseError: value is not an integer"
        ));
        assert!(!is_about_the_data(
            "OOM: command not allowed when used memory > 'maxmemory'."
        ));
    }

    #[test]
    fn a_cluster_is_told_with_what_to_do() {
        let redis = SpinRedis {
            url: "redis://redis.example".to_owned(),
            shared: RefCell::new(None),
        };
        for message in [
            "Moved: 3999 127.0.0.1:6381",
            "MOVED: 3999 127.0.0.1:6381",
            "An error was signalled by the server - Moved: 3999 127.0.0.1:6381",
            "Ask: 3999 127.0.0.1:6381",
        ] {
            let told = redis.verdict(RedisError::Other(message.to_owned()));
            assert!(
                matches!(&told, Error::Unavailable(reason) if reason.contains("redis-cluster://")),
                "{told}"
            );
        }
        let other = redis.verdict(RedisError::Other("OOM: 3999 are too many".to_owned()));
        assert!(!other.to_string().contains("redis-cluster://"), "{other}");
        assert!(names_several_servers("rediss-cluster://a.example,b.example"));
        assert!(names_several_servers("redis-sentinel://a.example/main"));
        assert!(!names_several_servers("redis://my-cluster.example"));
    }

    #[test]
    fn an_error_does_not_show_the_address() {
        let redis = SpinRedis {
            url: "redis://:s3cret@redis.example".to_owned(),
            shared: RefCell::new(None),
        };
        let error = redis.verdict(RedisError::Other(format!("cannot reach {}", redis.url)));
        assert_eq!(
            error,
            Error::Unavailable("Redis: cannot reach the configured address".to_owned())
        );
    }
}
