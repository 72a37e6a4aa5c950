//! People by their names and addresses, as somebody types them.
//!
//! - [`name`]: finds who is meant by "sarah", "chen s" or "Jose", whatever accents a name is written with.
//! - [`address`]: e-mail addresses, as far as an assistant has to know them: one form for comparing, and no text
//!   that would become several recipients.
//! - [`cast`]: the people of the demo data, so that its mailbox, calendar and address book agree.
//!
//! Who is in an address book, and who is asked about, is up to those who use it.

pub mod address;
pub mod cast;
pub mod name;
