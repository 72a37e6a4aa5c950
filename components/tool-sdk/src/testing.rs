//! For the tests of toolboxes.

use std::path::Path;

use crate::set::list;
use crate::{Toolbox, Tools};

/// Holds a file to what the types say, and the examples of the tools to their arguments. With `UPDATE=1` in the environment it writes the file instead.
///
/// # Errors
///
/// Says which tool differs, which example is wrong, or that the file cannot be read or written.
pub fn check_list<A: Toolbox>(file: impl AsRef<Path>) -> Result<(), String> {
    let mistakes = <A::Tools as Tools<A>>::mistakes();
    if !mistakes.is_empty() {
        return Err(mistakes.join("\n"));
    }
    check_text(file.as_ref(), &list::<A>())
}

/// Holds a file to a text. With `UPDATE=1` in the environment it writes the file instead.
///
/// # Errors
///
/// Says which line differs first, or that the file cannot be read or written.
pub fn check_text(file: &Path, expected: &str) -> Result<(), String> {
    let name = file.display();
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(file, expected).map_err(|error| format!("{name}: {error}"));
    }
    let found = std::fs::read_to_string(file)
        .map_err(|error| format!("{name}: {error}; run the test with UPDATE=1 to write it"))?;
    let mut expected_lines = expected.lines();
    for (number, line) in found.lines().enumerate() {
        let wanted = expected_lines.next().unwrap_or_default();
        if line != wanted {
            return Err(format!(
                "{name}:{}: is not what the types say; run the test with UPDATE=1 to rewrite it\n  in the file: {line}\n  should be:   {wanted}",
                number + 1
            ));
        }
    }
    match expected_lines.next() {
        None => Ok(()),
        Some(missing) => Err(format!(
            "{name}: lacks the line {missing}; run the test with UPDATE=1"
        )),
    }
}
