//! Replies in Redis' serialization protocol, version 2 (redis.io, "Redis serialization protocol specification").

use std::pin::Pin;

/// No reply is nested deeper.
const MAX_DEPTH: u8 = 16;
/// No text of a reply is longer: Redis' own limit.
const MAX_LENGTH: usize = 512 << 20;
/// No line is longer: all that stands in one is a number, a status or an error.
const MAX_LINE: usize = 64 << 10;

/// What a command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Nil,
    Status(String),
    Integer(i64),
    Bytes(Vec<u8>),
    Many(Vec<Value>),
}

impl Value {
    /// Itself, or what it consists of, however deep it is nested.
    pub(crate) fn flattened(self) -> Vec<Self> {
        match self {
            Self::Many(values) => values.into_iter().flat_map(Self::flattened).collect(),
            value => vec![value],
        }
    }
}

/// Why no reply can be read, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) String);

/// Where bytes come from.
pub(crate) trait Bytes {
    /// Waits for some and appends them; an error where none will come.
    async fn more(&mut self, into: &mut Vec<u8>) -> Result<(), Broken>;
}

/// The replies in what comes.
pub(crate) struct Replies<B> {
    from: B,
    buffer: Vec<u8>,
    /// Where in the buffer the next one begins.
    at: usize,
}

impl<B: Bytes> Replies<B> {
    /// Reads from the start.
    pub(crate) fn new(from: B) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// The next reply: a value, or what the server says is wrong.
    pub(crate) async fn next(&mut self) -> Result<Result<Value, String>, Broken> {
        let reply = self.nested(0).await;
        // What was read is let go once a reply, not once a line.
        self.buffer.drain(..self.at);
        self.at = 0;
        reply
    }

    async fn nested(&mut self, depth: u8) -> Result<Result<Value, String>, Broken> {
        let line = self.line().await?;
        let mut characters = line.chars();
        let (kind, text) = (characters.next(), characters.as_str());
        let number = || {
            text.parse::<i64>()
                .map_err(|_| wrong("no number where one is due"))
        };
        let length = || Ok(usize::try_from(number()?).ok());
        match kind {
            Some('+') => Ok(Ok(Value::Status(text.to_owned()))),
            Some('-') => Ok(Err(text.to_owned())),
            Some(':') => Ok(Ok(Value::Integer(number()?))),
            Some('$') => match length()? {
                Some(length) => Ok(Ok(Value::Bytes(self.text(length).await?))),
                None => Ok(Ok(Value::Nil)),
            },
            Some('*') => match length()? {
                Some(length) if depth < MAX_DEPTH => self.many(length, depth + 1).await,
                Some(_) => Err(wrong("too deep a nest")),
                None => Ok(Ok(Value::Nil)),
            },
            _ => Err(wrong("an unknown kind of value")),
        }
    }

    /// All are read, so that what comes next is the next reply, also where one of them is an error.
    async fn many(&mut self, length: usize, depth: u8) -> Result<Result<Value, String>, Broken> {
        let mut values = Vec::new();
        let mut failed = None;
        for _ in 0..length {
            let nested: Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(self.nested(depth));
            match nested.await? {
                Ok(value) => values.push(value),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Ok(failed.map_or(Ok(Value::Many(values)), Err))
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<String, Broken> {
        let mut searched = self.at;
        loop {
            let unsearched = self.buffer.get(searched..).unwrap_or_default();
            if let Some(found) = unsearched.iter().position(|byte| *byte == b'\n') {
                let end = searched + found;
                let line = self.buffer.get(self.at..end).unwrap_or_default();
                let line = line
                    .strip_suffix(b"\r")
                    .ok_or_else(|| wrong("a line without its end"))?;
                let line = String::from_utf8_lossy(line).into_owned();
                self.at = end + 1;
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched - self.at > MAX_LINE {
                return Err(wrong("too long a line"));
            }
            self.from.more(&mut self.buffer).await?;
        }
    }

    /// A text of so many bytes, and the end of the line after it.
    async fn text(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        if length > MAX_LENGTH {
            return Err(wrong("too long a text"));
        }
        let end = self.at + length;
        while self.buffer.len() < end + 2 {
            self.from.more(&mut self.buffer).await?;
        }
        let text = self.buffer.get(self.at..end).unwrap_or_default().to_vec();
        if self.buffer.get(end..end + 2) != Some(b"\r\n") {
            return Err(wrong("a text without its end"));
        }
        self.at = end + 2;
        Ok(text)
    }
}

fn wrong(what: &str) -> Broken {
    Broken(format!("the reply is none of Redis: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    /// Comes in pieces of so many bytes, and then ends.
    struct Pieces<'a>(std::slice::Chunks<'a, u8>);

    impl Bytes for Pieces<'_> {
        async fn more(&mut self, into: &mut Vec<u8>) -> Result<(), Broken> {
            let piece = self.0.next().ok_or_else(|| Broken("it ended".to_owned()))?;
            into.extend_from_slice(piece);
            Ok(())
        }
    }

    /// So many replies, however they arrive.
    fn replies(text: &[u8], count: usize) -> Vec<Result<Value, String>> {
        let in_pieces = |size| {
            let mut replies = Replies::new(Pieces(text.chunks(size)));
            (0..count)
                .map(|_| block_on(replies.next()).unwrap())
                .collect::<Vec<_>>()
        };
        let whole = in_pieces(text.len());
        for size in 1..text.len() {
            assert_eq!(in_pieces(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn every_kind_of_reply_is_read() {
        let text = b"+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n*2\r\n:1\r\n*1\r\n$0\r\n\r\n";
        let nested = Value::Many(vec![
            Value::Integer(1),
            Value::Many(vec![Value::Bytes(Vec::new())]),
        ]);
        assert_eq!(
            replies(text, 7),
            [
                Ok(Value::Status("OK".into())),
                Err("ERR no".into()),
                Ok(Value::Integer(-7)),
                Ok(Value::Bytes(b"a\r\n".into())),
                Ok(Value::Nil),
                Ok(Value::Nil),
                Ok(nested.clone()),
            ]
        );
        assert_eq!(nested.flattened(), [Value::Integer(1), Value::Bytes(Vec::new())]);
    }

    #[test]
    fn an_error_in_a_list_leaves_the_next_reply_whole() {
        assert_eq!(
            replies(b"*2\r\n-ERR no\r\n:1\r\n+OK\r\n", 2),
            [Err("ERR no".into()), Ok(Value::Status("OK".into()))]
        );
    }

    #[test]
    fn what_is_cut_or_none_is_an_error_of_the_connection() {
        let (deep, long) = ("*1\r\n".repeat(100), "+".repeat(MAX_LINE * 2));
        for text in [
            "",
            "\r\n",
            "+OK",
            "+OK\n",
            ":x\r\n",
            "$9\r\nabc\r\n",
            "$1\r\nabc\r\n",
            "?\r\n",
            "*1\r\n",
            "$9999999999\r\n",
            &deep,
            &long,
        ] {
            let mut replies = Replies::new(Pieces(text.as_bytes().chunks(1 << 10)));
            assert!(block_on(replies.next()).is_err(), "{text:.20?}");
        }
    }
}
