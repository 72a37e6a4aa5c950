//! Calls of scripts as commands, and what their errors mean.

use ::redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};
use anyturn_state::Error;
use anyturn_state::schema::{Arg, Invocation};

use super::address::unavailable;

/// `EVALSHA` or `EVAL`.
pub(super) fn command(name: &'static str, script: &str, call: &Invocation) -> Cmd {
    let Invocation {
        script: _,
        keys,
        args,
    } = call;
    let size = args
        .iter()
        .map(|arg| {
            if let Arg::Bytes(bytes) = arg {
                bytes.len()
            } else {
                8
            }
        })
        .sum::<usize>()
        + keys.iter().map(String::len).sum::<usize>()
        + script.len();
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), size + 32);
    command.arg(name).arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for arg in args {
        match arg {
            Arg::Word(word) => command.arg(*word),
            Arg::Integer(integer) => command.arg(*integer),
            Arg::Bytes(bytes) => command.arg(bytes.as_slice()),
        };
    }
    command
}

/// What an error of an operation means to its caller.
pub(super) fn verdict(error: &RedisError) -> Error {
    // A script that the stored data makes fail. Everything else (loading, busy, out of memory, a replica, no
    // permission, a lost connection) may pass, or is for whoever runs the server.
    match (error.kind(), error.code()) {
        (ErrorKind::Server(ServerErrorKind::ResponseError), _) | (_, Some("WRONGTYPE")) => {
            Error::Corrupt(format!("Redis: {error}"))
        }
        _ => unavailable(error),
    }
}
