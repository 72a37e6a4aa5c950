//! The Model Context Protocol on the wire: messages, both revisions, without a transport.
