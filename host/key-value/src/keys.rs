//! The keys of a store, page by page.
//!
//! The index of keys is ordered by a hash of the key. A page begins after the last key of the one before it, wherever
//! that now is, so keys that come and go meanwhile shift nothing.

use crate::bucket::{Bucket, KEYS, SCOPE};
use crate::{Error, MAX_ANSWER};
use anyturn_state::{Found, Member, Query, Store};

/// The most keys of a page.
pub const MAX_PAGE: u32 = 1_000;

/// Some of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next page begins; none after the last one.
    pub cursor: Option<String>,
}

impl<S: Store> Bucket<S> {
    /// The page of keys that a cursor stands for, or the first: at most `limit` keys, and at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the cursor is not one, or the state fails.
    pub async fn page(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let limit = limit.clamp(1, MAX_PAGE);
        let after = cursor.map(Place::parse).transpose()?;
        // One more than asked for, and the key that the page begins after: it is found again.
        let wanted = limit + 1 + u32::from(after.is_some());
        let query = Query::Index {
            index: KEYS.to_owned(),
            min: after.as_ref().map_or(0, |place| place.score),
            max: i64::MAX,
            descending: false,
            offset: 0,
            limit: wanted,
        };
        let found = self.state.read(SCOPE, vec![query]).await?;
        let members = match found.into_iter().next() {
            Some(Found::Index(members)) => members,
            _ => Vec::new(),
        };
        let mut members: Vec<Member> = members
            .into_iter()
            .filter(|member| after.as_ref().is_none_or(|place| place.is_before(member)))
            .collect();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = members.len() > limit;
        members.truncate(limit);
        let cursor = members.last().filter(|_| more).map(Place::of);
        let keys = members
            .into_iter()
            .map(|member| String::from_utf8_lossy(&member.value).into_owned())
            .collect();
        Ok(Page { keys, cursor })
    }

    /// All keys.
    ///
    /// # Errors
    /// When they are more than one call may return, or the state fails.
    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        let mut size = 0_usize;
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(cursor.as_deref(), MAX_PAGE).await?;
            for key in page.keys {
                size = size.saturating_add(size_of::<String>() + key.len());
                if size > MAX_ANSWER {
                    return Err(Error::Answer);
                }
                keys.push(key);
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }
}

/// A place in the order of keys.
struct Place {
    score: i64,
    name: String,
}

impl Place {
    /// The cursor of a member.
    fn of(member: &Member) -> String {
        format!("{:x}.{}", member.score, member.member)
    }

    fn parse(cursor: &str) -> Result<Self, Error> {
        let (score, name) = cursor.split_once('.').ok_or(Error::Cursor)?;
        let score = i64::from_str_radix(score, 16).map_err(|_| Error::Cursor)?;
        if !(0..1 << 52).contains(&score) {
            return Err(Error::Cursor);
        }
        Ok(Self {
            score,
            name: name.to_owned(),
        })
    }

    fn is_before(&self, member: &Member) -> bool {
        (self.score, self.name.as_bytes()) < (member.score, member.member.as_bytes())
    }
}
