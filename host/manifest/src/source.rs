//! The file of a component: its code, or the note that an image keeps of it.
//!
//! A host that finds a component compiled has no use for its code. An image that holds the machine code may therefore hold
//! a note in the code's place, which tells the code's digest: by that the machine code is found, and nothing is found that
//! was made of something else. Whoever needs the code itself is told that it was left out.

use std::io;
use std::path::Path;

/// How a note begins; a component begins with a zero byte.
const BEGINNING: &str = "anyturn: the code was left out, its digest is sha256:";

/// The length of a SHA-256 in bytes.
const DIGEST: usize = 32;

/// What the file of a component holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The component.
    Code(Vec<u8>),
    /// The SHA-256 of the component, which was left out.
    Note([u8; DIGEST]),
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is a note that was cut off or changed.
    pub fn read(path: &Path) -> io::Result<Source> {
        let bytes = std::fs::read(path)?;
        let Some(rest) = bytes.strip_prefix(BEGINNING.as_bytes()) else {
            return Ok(Source::Code(bytes));
        };
        digest(rest.trim_ascii_end()).map(Source::Note).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it is a note of code that was left out, and its digest is damaged",
            )
        })
    }

    /// The note that stands for a component with this digest, which is in lower-case hexadecimal.
    pub fn note(digest: &str) -> String {
        format!("{BEGINNING}{digest}\n")
    }
}

/// A digest in lower-case hexadecimal.
fn digest(text: &[u8]) -> Option<[u8; DIGEST]> {
    let text = std::str::from_utf8(text).ok()?;
    let mut digest = [0; DIGEST];
    if text.len() != 2 * DIGEST {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> io::Result<Source> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Source::read(file.path())
    }

    #[test]
    fn code_is_read_as_it_is() {
        for code in [b"\0asm\x0d\0\x01\0".as_slice(), b"", b"anyturn"] {
            assert_eq!(read(code).unwrap(), Source::Code(code.to_vec()));
        }
    }

    #[test]
    fn a_note_tells_the_digest_it_was_written_with() {
        let digest: [u8; DIGEST] = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            read(Source::note(&text).as_bytes()).unwrap(),
            Source::Note(digest)
        );
    }

    #[test]
    fn a_damaged_note_is_neither_code_nor_a_note() {
        let note = Source::note(&"ab".repeat(DIGEST));
        for damaged in [
            &note[..note.len() - 2],
            &note.replace("abab", "abzz"),
            &format!("{note}00"),
            BEGINNING,
        ] {
            let error = read(damaged.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("damaged"), "{damaged:?}: {error}");
        }
    }
}
