//! The revisions of the protocol.

use std::fmt;

/// A revision of the protocol, named by its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// 2025-03-26: spoken by the client only, with old servers.
    V2025_03_26,
    /// 2025-06-18: what it says about tools is a part of what 2025-11-25 says.
    V2025_06_18,
    /// 2025-11-25: the last one that begins with a handshake.
    V2025_11_25,
    /// 2026-07-28: the first one without.
    V2026_07_28,
}

impl Revision {
    /// What the server side answers, the latest first.
    pub const SERVED: [Revision; 3] = [
        Revision::V2026_07_28,
        Revision::V2025_11_25,
        Revision::V2025_06_18,
    ];

    /// The latest revision that begins with a handshake.
    pub const LATEST_WITH_HANDSHAKE: Revision = Revision::V2025_11_25;

    /// The revision of this name, if it is known.
    pub fn parse(name: &str) -> Option<Revision> {
        match name {
            "2025-03-26" => Some(Revision::V2025_03_26),
            "2025-06-18" => Some(Revision::V2025_06_18),
            "2025-11-25" => Some(Revision::V2025_11_25),
            "2026-07-28" => Some(Revision::V2026_07_28),
            _ => None,
        }
    }

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Revision::V2025_03_26 => "2025-03-26",
            Revision::V2025_06_18 => "2025-06-18",
            Revision::V2025_11_25 => "2025-11-25",
            Revision::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether every request stands for itself.
    pub fn is_stateless(self) -> bool {
        self >= Revision::V2026_07_28
    }

    /// Whether the server side answers it.
    pub fn is_served(self) -> bool {
        Revision::SERVED.contains(&self)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
