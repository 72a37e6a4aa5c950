//! Runs spin.toml on wasmtime, in a container or on a laptop.
