//! Reads spin.toml as Spin does and says what our host lacks.
