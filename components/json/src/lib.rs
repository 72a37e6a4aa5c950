//! Reads JSON into types as `serde_json` does, objects from objects only.
//!
//! `serde_json` reads a struct from a list too: of its members' values, in the order of its fields. Nobody who sends
//! that to anyturn means it, and in a component it takes nearly as much code as reading the object: every type is read
//! in both ways. Here a type that wants an object is asked for an object, all the way down, and the other way is not
//! compiled. Everything else, the words and the places of errors included, is `serde_json`'s.

mod object;

use object::Object;
use serde::Deserialize;
use serde_json::Error;

/// Reads a value from JSON.
///
/// # Errors
/// When it is not JSON, or not what the type wants; with line and column.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Place<'a> {
///     name: &'a str,
///     floor: Option<i8>,
/// }
///
/// let place: Place<'_> = anyturn_json::from_slice(br#"{"name": "attic"}"#)?;
/// assert_eq!((place.name, place.floor), ("attic", None));
///
/// let error = anyturn_json::from_slice::<Place<'_>>(br#"["attic", 2]"#).err();
/// assert_eq!(
///     error.map(|error| error.to_string()).as_deref(),
///     Some("invalid type: sequence, expected struct Place at line 1 column 0")
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn from_slice<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let value = T::deserialize(Object(&mut json))?;
    json.end()?;
    Ok(value)
}

/// [`from_slice`] of text. There is no second reader for it.
///
/// # Errors
/// As there.
pub fn from_str<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Error> {
    from_slice(json.as_bytes())
}

#[cfg(test)]
mod tests;
