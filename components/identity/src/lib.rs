//! Who is calling, what they may do, how much they may use.
