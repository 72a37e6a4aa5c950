//! Exports anyturn:model: providers over HTTP, and one that needs no network.
