//! Replies of the scripts: one string, read from left to right.
//!
//! The format is described in `scripts/head.lua`. What does not follow it is `corrupt`, never a panic: between
//! this process and Redis there may be a proxy, or a server that only resembles Redis.

use crate::port::{
    Actual, Committed, Counter, DeadJob, Depth, Document, Error, Found, Job, JournalSlice, LeaseState,
    Member, Written,
};

/// What is left of a reply.
pub(super) struct Reply<'a> {
    rest: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Reads the status; anything but success is the error that it stands for.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reply = Self { rest: bytes };
        match reply.tag()? {
            b'+' => Ok(reply),
            b'!' => Err(reply.conflict()?),
            b'?' => Err(reply.broken_rule()?),
            b'x' => {
                let key = reply.text()?;
                Err(Error::Corrupt(format!("the key {key:?} is of another schema")))
            }
            other => Err(reply.unknown("status", other)),
        }
    }

    /// The results of `commit`.
    pub(super) fn committed(mut self, writes: usize, queries: usize) -> Result<Committed, Error> {
        let mut written = Vec::with_capacity(writes);
        for _ in 0..writes {
            written.push(self.written()?);
        }
        Ok(Committed {
            written,
            found: self.found(queries)?,
        })
    }

    /// The results of so many queries, and nothing else.
    pub(super) fn found(mut self, queries: usize) -> Result<Vec<Found>, Error> {
        let mut found = Vec::with_capacity(queries);
        for _ in 0..queries {
            found.push(self.one_found()?);
        }
        self.end()?;
        Ok(found)
    }

    /// Whether the operation took place.
    pub(super) fn flag(mut self) -> Result<bool, Error> {
        let flag = match self.tag()? {
            b't' => true,
            b'f' => false,
            other => return Err(self.unknown("flag", other)),
        };
        self.end()?;
        Ok(flag)
    }

    /// The results of `claim`.
    pub(super) fn jobs(mut self) -> Result<Vec<Job>, Error> {
        let count = self.number()?;
        let mut jobs = Vec::new();
        for _ in 0..count {
            jobs.push(Job {
                id: self.text()?,
                payload: self.bytes()?,
                attempt: self.small()?,
                receipt: self.number()?,
            });
        }
        self.end()?;
        Ok(jobs)
    }

    /// The results of `dead-letters`.
    pub(super) fn dead_jobs(mut self) -> Result<Vec<DeadJob>, Error> {
        let count = self.number()?;
        let mut jobs = Vec::new();
        for _ in 0..count {
            let (id, payload, attempts) = (self.text()?, self.bytes()?, self.small()?);
            jobs.push(DeadJob {
                id,
                payload,
                attempts,
                reason: self.text()?,
                at: self.number()?,
            });
        }
        self.end()?;
        Ok(jobs)
    }

    /// The result of `depth`.
    pub(super) fn depth(mut self) -> Result<Depth, Error> {
        let depth = Depth {
            due: self.number()?,
            delayed: self.number()?,
            running: self.number()?,
            dead: self.number()?,
        };
        self.end()?;
        Ok(depth)
    }

    fn conflict(&mut self) -> Result<Error, Error> {
        let write = self.small()?;
        let actual = match self.tag()? {
            b'l' => Actual::Length(self.number()?),
            b'v' => Actual::Version(self.number()?),
            b'L' => Actual::Lease(self.lease()?),
            b't' => Actual::Time(self.number()?),
            other => return Err(self.unknown("conflict", other)),
        };
        Ok(Error::Conflict { write, actual })
    }

    fn broken_rule(&mut self) -> Result<Error, Error> {
        let write = self.small()?;
        Ok(Error::Invalid(match self.tag()? {
            b'c' => format!("write {write} would lead a counter out of the range of ±(2^53 − 1)"),
            b'l' => {
                let length = self.number()?;
                format!("write {write} sets a checkpoint beyond the journal's length, which is {length}")
            }
            other => return Err(self.unknown("rule", other)),
        }))
    }

    fn written(&mut self) -> Result<Written, Error> {
        Ok(match self.tag()? {
            b'd' => Written::Done,
            b'l' => Written::Length(self.number()?),
            b'v' => Written::Version(self.number()?),
            b'c' => Written::Counter(self.counter()?),
            b'g' => Written::Granted {
                epoch: self.number()?,
                until: self.number()?,
            },
            other => return Err(self.unknown("result", other)),
        })
    }

    fn one_found(&mut self) -> Result<Found, Error> {
        Ok(match self.tag()? {
            b'D' => Found::Document(match self.integer()? {
                -1 => None,
                length => Some(document(self.take(length)?)?),
            }),
            b'C' => Found::Counter(self.counter()?),
            b'J' => Found::Journal(self.journal()?),
            b'X' => Found::Index(self.members()?),
            b'L' => Found::Lease(self.lease()?),
            other => return Err(self.unknown("finding", other)),
        })
    }

    fn counter(&mut self) -> Result<Counter, Error> {
        Ok(Counter {
            value: self.integer()?,
            remaining: u64::try_from(self.integer()?).ok(),
        })
    }

    fn journal(&mut self) -> Result<JournalSlice, Error> {
        let (length, checkpoint, first) = (self.number()?, self.number()?, self.number()?);
        let mut entries = Vec::new();
        for _ in 0..self.number()? {
            entries.push(self.bytes()?);
        }
        Ok(JournalSlice {
            length,
            checkpoint,
            first,
            entries,
        })
    }

    fn members(&mut self) -> Result<Vec<Member>, Error> {
        let mut members = Vec::new();
        for _ in 0..self.number()? {
            let score = self.integer()?;
            members.push(Member {
                member: self.text()?,
                score,
                value: self.bytes()?,
            });
        }
        Ok(members)
    }

    fn lease(&mut self) -> Result<LeaseState, Error> {
        let (epoch, remaining) = (self.number()?, self.number()?);
        Ok(LeaseState {
            holder: self.text()?,
            epoch,
            remaining,
        })
    }

    // ---- fields -------------------------------------------------------------------------------------

    fn tag(&mut self) -> Result<u8, Error> {
        let (tag, rest) = self.rest.split_first().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*tag)
    }

    fn integer(&mut self) -> Result<i64, Error> {
        let end = self
            .rest
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(cut_off)?;
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest.split_first().ok_or_else(cut_off)?.1;
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| Error::Corrupt("the store's reply has no number where one is due".to_owned()))
    }

    fn number(&mut self) -> Result<u64, Error> {
        let integer = self.integer()?;
        u64::try_from(integer)
            .map_err(|_| Error::Corrupt(format!("the store's reply has {integer} where a count is due")))
    }

    fn small(&mut self) -> Result<u32, Error> {
        let number = self.number()?;
        u32::try_from(number)
            .map_err(|_| Error::Corrupt(format!("the store's reply has {number} where less is due")))
    }

    fn take(&mut self, length: i64) -> Result<&'a [u8], Error> {
        let length = usize::try_from(length).map_err(|_| cut_off())?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let length = self.integer()?;
        Ok(self.take(length)?.to_vec())
    }

    fn text(&mut self) -> Result<String, Error> {
        String::from_utf8(self.bytes()?)
            .map_err(|_| Error::Corrupt("the store holds a name that is not UTF-8".to_owned()))
    }

    fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::Corrupt(format!(
            "the store's reply has {} bytes too many",
            self.rest.len()
        )))
    }

    fn unknown(&self, what: &str, tag: u8) -> Error {
        Error::Corrupt(format!(
            "the store's reply has the unknown {what} {:?}",
            char::from(tag)
        ))
    }
}

fn cut_off() -> Error {
    Error::Corrupt("the store's reply is cut off".to_owned())
}

/// A stored document: `1:<version>:<value>`.
fn document(raw: &[u8]) -> Result<Document, Error> {
    let parsed = raw.strip_prefix(b"1:").and_then(|rest| {
        let end = rest.iter().take(17).position(|byte| *byte == b':')?;
        let (digits, value) = rest.split_at_checked(end)?;
        let version = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Document {
            version,
            value: value.get(1..)?.to_vec(),
        })
    });
    parsed.ok_or_else(|| Error::Corrupt("a document is of another schema".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_in_which_everything_occurs_is_read() {
        let committed =
            Reply::open(b"+l7 v3 dc-4 -1 c5 60000 g9 1500 D-1 D6 1:2:ab").and_then(|r| r.committed(6, 2));
        let document = Document {
            version: 2,
            value: b"ab".to_vec(),
        };
        assert_eq!(
            committed,
            Ok(Committed {
                written: vec![
                    Written::Length(7),
                    Written::Version(3),
                    Written::Done,
                    Written::Counter(Counter {
                        value: -4,
                        remaining: None
                    }),
                    Written::Counter(Counter {
                        value: 5,
                        remaining: Some(60_000)
                    }),
                    Written::Granted {
                        epoch: 9,
                        until: 1500
                    },
                ],
                found: vec![Found::Document(None), Found::Document(Some(document))],
            })
        );
        let found = Reply::open(b"+J3 1 1 2 1 \x001 \xffX1 -9007199254740991 1 m0 L4 250 2 me")
            .and_then(|reply| reply.found(3));
        let slice = JournalSlice {
            length: 3,
            checkpoint: 1,
            first: 1,
            entries: vec![vec![0], vec![255]],
        };
        let member = Member {
            member: "m".into(),
            score: -9_007_199_254_740_991,
            value: Vec::new(),
        };
        let lease = LeaseState {
            holder: "me".into(),
            epoch: 4,
            remaining: 250,
        };
        assert_eq!(
            found,
            Ok(vec![
                Found::Journal(slice),
                Found::Index(vec![member]),
                Found::Lease(lease)
            ])
        );
    }

    #[test]
    fn refusals_are_errors() {
        let error = |bytes: &[u8]| Reply::open(bytes).err();
        let conflict = |write, actual| Some(Error::Conflict { write, actual });
        assert_eq!(error(b"!2 l5 "), conflict(2, Actual::Length(5)));
        assert_eq!(error(b"!0 v0 "), conflict(0, Actual::Version(0)));
        let lease = LeaseState {
            holder: "you".into(),
            epoch: 3,
            remaining: 99,
        };
        assert_eq!(error(b"!1 L3 99 3 you"), conflict(1, Actual::Lease(lease)));
        assert_eq!(error(b"!3 t1500 "), conflict(3, Actual::Time(1500)));
        assert!(matches!(error(b"?0 c"), Some(Error::Invalid(_))));
        assert!(matches!(error(b"?4 l2 "), Some(Error::Invalid(_))));
        assert!(matches!(error(b"x3 key"), Some(Error::Corrupt(message)) if message.contains("key")));
    }

    #[test]
    fn no_reply_makes_the_reader_panic_or_invent() {
        let good: &[u8] = b"+J3 1 1 2 1 a1 bX1 5 1 m1 vL4 250 2 meD6 1:2:ab";
        let read = |bytes: &[u8]| Reply::open(bytes).and_then(|reply| reply.found(4));
        assert!(read(good).is_ok());
        for end in 0..good.len() {
            assert!(
                matches!(read(&good[..end]), Err(Error::Corrupt(_))),
                "cut off at {end}"
            );
        }
        for position in 0..good.len() {
            for byte in 0..=255 {
                let mut bytes = good.to_vec();
                bytes[position] = byte;
                let _ = read(&bytes);
            }
        }
        assert!(matches!(read(&[good, b" "].concat()), Err(Error::Corrupt(_))));
        assert!(matches!(read(b"+D6 2:2:ab"), Err(Error::Corrupt(_))));
    }
}
