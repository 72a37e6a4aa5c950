//! The state port over Redis and over an embedded SQLite database.
