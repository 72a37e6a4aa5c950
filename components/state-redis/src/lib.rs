//! Exports anyturn:state over spin:redis.
