//! Key-value stores over the state port, as Spin's components know them.
//!
//! A [`Bucket`] is one key-value store: keys that are any text, values that are bytes, no time to live. It has a namespace
//! of the state's own, and all of it lies in one scope there, so that a list of keys is always one of a single place.
//!
//! | promise | how it is kept |
//! |---|---|
//! | a key is listed exactly while it has a value | a value and its entry in the index of keys are one commit |
//! | paging through the keys finds every key that was there all the while, once | pages go by a hash of the key, not by a count |
//! | a swap or an increment loses no write of anybody else | it is conditional on the version, and on that nothing was deleted meanwhile, after which versions would begin anew |
//!
//! | limit | |
//! |---|---|
//! | a key | [`MAX_KEY`] bytes |
//! | a value | [`MAX_VALUE`] bytes |
//! | the values or keys that one call returns | [`MAX_ANSWER`] bytes, as in Spin |

mod batch;
mod bucket;
mod keys;
mod name;
mod swap;

pub use bucket::Bucket;
pub use keys::{MAX_PAGE, Page};
pub use swap::Seen;

/// The most bytes of a key.
pub const MAX_KEY: usize = 1024;
/// The most bytes of a value.
pub const MAX_VALUE: usize = anyturn_state::limits::MAX_VALUE;
/// The most bytes that one call returns.
pub const MAX_ANSWER: usize = 128 << 20;

/// Why an operation on a key-value store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The key is too long.
    #[error("a key has at most {MAX_KEY} bytes, this one has {0}")]
    Key(usize),
    /// The value is too long.
    #[error("a value has at most {MAX_VALUE} bytes, this one has {0}")]
    Value(usize),
    /// What is asked for is more than one call may return.
    #[error("query result exceeds limit of {MAX_ANSWER} bytes")]
    Answer,
    /// A cursor that no page gave out.
    #[error("the cursor is not one that a page of keys gave out")]
    Cursor,
    /// The value is no number that could be added to.
    #[error("the value is no number: it has {0} bytes, where a number has 8")]
    NoNumber(usize),
    /// The sum cannot be held.
    #[error("the sum is not within the 64 bits of a number")]
    Overflow,
    /// Others changed the value all the time.
    #[error("the value was changed by others again and again; try later")]
    Contention,
    /// The state failed.
    #[error(transparent)]
    State(#[from] anyturn_state::Error),
}
