//! End to end, through the real binary: the fixtures.
