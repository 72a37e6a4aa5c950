//! Server-sent events, parsed as they arrive (WHATWG HTML, section 9.2.6, "Interpreting an event stream").
//!
//! Bytes may be split anywhere, also inside a character or between CR and LF. Lines and events are bounded,
//! so that a provider gone mad costs no memory. `id` and `retry` have no use here and are ignored.

/// The longest line, and the longest data of one event.
const MAX_LENGTH: usize = 4 * 1024 * 1024;

/// A line or an event is longer than 4 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// An incremental parser.
#[derive(Debug, Default)]
pub struct Parser {
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The data lines of the event so far.
    data: Option<String>,
    /// The last byte was a CR, which an LF may still belong to.
    after_cr: bool,
    /// The first line is behind us, and with it a byte order mark.
    begun: bool,
}

impl Parser {
    /// Takes more bytes and gives the data of each event that they complete to `event`.
    pub fn push(&mut self, mut bytes: &[u8], mut event: impl FnMut(String)) -> Result<(), TooLong> {
        while let Some((first, rest)) = bytes.split_first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + part.len() > MAX_LENGTH {
                return Err(TooLong);
            }
            self.line.extend_from_slice(part);
            bytes = match rest.split_first() {
                Some((terminator, rest)) => {
                    self.after_cr = *terminator == b'\r';
                    if let Some(data) = self.end_line()? {
                        event(data);
                    }
                    rest
                }
                None => rest,
            };
        }
        Ok(())
    }

    /// The data of an event that only lacks its blank line, as some providers end their streams.
    pub fn finish(mut self) -> Option<String> {
        if !self.line.is_empty() {
            self.end_line().ok()?;
        }
        self.data
    }

    /// Interprets the line; a blank one completes the event.
    fn end_line(&mut self) -> Result<Option<String>, TooLong> {
        let line = String::from_utf8_lossy(&self.line);
        let line = match std::mem::replace(&mut self.begun, true) {
            false => line.strip_prefix('\u{feff}').unwrap_or(&line),
            true => &line,
        };
        let mut complete = None;
        if line.is_empty() {
            complete = self.data.take();
        } else if let Some(value) = field(line, "data") {
            match &mut self.data {
                Some(data) if data.len() + value.len() > MAX_LENGTH => return Err(TooLong),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        self.line.clear();
        Ok(complete)
    }
}

/// The value of a line's field, if it is this one.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    match line.strip_prefix(name)? {
        "" => Some(""),
        rest => rest
            .strip_prefix(':')
            .map(|value| value.strip_prefix(' ').unwrap_or(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(chunks: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(chunk, |data| events.push(data)).unwrap();
        }
        events.extend(parser.finish());
        events
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        for text in [
            "data: a\n\ndata: b\n\n",
            "data: a\r\n\r\ndata: b\r\n\r\n",
            "data: a\r\rdata: b\r\r",
        ] {
            assert_eq!(parse(&[text.as_bytes()]), ["a", "b"], "{text:?}");
        }
    }

    #[test]
    fn a_stream_may_be_split_anywhere() {
        let text = "\u{feff}: hello\r\ndata: {\"text\":\"grüße 🌍\"}\r\n\r\nevent: x\ndata:1\rdata: 2\n\n";
        let whole = parse(&[text.as_bytes()]);
        assert_eq!(whole, ["{\"text\":\"grüße 🌍\"}", "1\n2"]);
        for at in 0..text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(parse(&[left, right]), whole, "split at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(parse(&bytes), whole);
    }

    #[test]
    fn comments_other_fields_and_events_without_data_are_passed_over() {
        assert_eq!(
            parse(&[b": ping\n\nevent: x\nid: 7\nretry: 1\n\ndatabase: no\n\ndata\n\n"]),
            [""]
        );
    }

    #[test]
    fn only_one_space_after_the_colon_is_taken_off() {
        assert_eq!(parse(&[b"data:  two\n\ndata:none\n\n"]), [" two", "none"]);
    }

    #[test]
    fn the_last_event_may_lack_its_end() {
        assert_eq!(parse(&[b"data: a\n\ndata: [DONE]"]), ["a", "[DONE]"]);
        assert_eq!(parse(&[b"data: a\n\ndata: b\n"]), ["a", "b"]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; 64 * 1024];
        let pushes = (0..65)
            .map(|_| parser.push(&chunk, |_| ()))
            .filter(Result::is_err)
            .count();
        assert_eq!(pushes, 1);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(64 * 1024));
        assert!((0..66).any(|_| parser.push(line.as_bytes(), |_| ()).is_err()));
    }
}
