//! HTTP front of the system: routes, API dialects, event streams.
