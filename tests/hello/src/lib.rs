//! A component that answers at once: what the benchmark and the host tests drive.
