//! Texts with `{{ variable }}` in them: how a manifest hands application variables to components.

use std::fmt;

use crate::names::{InvalidName, VariableName};

/// A text with application variables in double braces.
///
/// There is no escape for `{{`, as there is none in Spin.
///
/// ```
/// use anyturn_manifest::Template;
///
/// let url: Template = "https://{{ host }}/v1".parse()?;
/// assert_eq!(url.variables().map(|name| name.as_str()).collect::<Vec<_>>(), ["host"]);
/// assert!("{{ host".parse::<Template>().is_err());
/// # Ok::<(), anyturn_manifest::InvalidTemplate>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(VariableName),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A `{{` has no `}}`.
    #[error("`{{{{` is not closed by `}}}}`")]
    Unclosed,
    /// What stands between the braces cannot be a variable.
    #[error("`{name}` cannot be the name of a variable: {reason}")]
    Name {
        /// What stands there.
        name: String,
        /// What is wrong with it.
        reason: InvalidName,
    },
}

impl std::str::FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or(InvalidTemplate::Unclosed)?;
            let name = name.trim();
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let variable = name.parse().map_err(|reason| InvalidTemplate::Name {
                name: name.to_owned(),
                reason,
            })?;
            parts.push(Part::Variable(variable));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }
}

impl Template {
    /// The variables it needs, in order, each as often as it stands there.
    pub fn variables(&self) -> impl Iterator<Item = &VariableName> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable(name) => Some(name),
        })
    }

    /// Whether it needs no variable.
    pub fn is_literal(&self) -> bool {
        self.variables().next().is_none()
    }

    /// The text with every variable replaced by what `value` gives; the first one it does not know is the error.
    pub(crate) fn render<'v>(
        &self,
        value: impl Fn(&VariableName) -> Option<&'v str>,
    ) -> Result<String, &VariableName> {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(match part {
                Part::Text(literal) => literal,
                Part::Variable(name) => value(name).ok_or(name)?,
            });
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Variable(name) => write!(f, "{{{{ {name} }}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_where_they_stand() {
        let template: Template = "{{a}}-{{ b }}{{  a  }}!".parse().unwrap();
        let text = template.render(|name| match name.as_str() {
            "a" => Some("1"),
            "b" => Some("{{ a }}"),
            _ => None,
        });
        assert_eq!(
            text.unwrap(),
            "1-{{ a }}1!",
            "values are not templates themselves"
        );
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let template: Template = "{{ a }}{{ b }}".parse().unwrap();
        let missing = template
            .render(|name| (name.as_str() == "a").then_some(""))
            .unwrap_err();
        assert_eq!(missing.as_str(), "b");
    }

    #[test]
    fn a_template_prints_as_it_was_written() {
        for text in ["", "plain", "{{ a }}", "x{{ a }}y{{ b_c }}"] {
            assert_eq!(text.parse::<Template>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn broken_braces_and_names_are_refused() {
        assert_eq!(
            "{{ a }} {{ b".parse::<Template>().unwrap_err(),
            InvalidTemplate::Unclosed
        );
        for bad in ["{{}}", "{{ A }}", "{{ a b }}", "{{ a-b }}"] {
            assert!(
                matches!(bad.parse::<Template>(), Err(InvalidTemplate::Name { .. })),
                "{bad}"
            );
        }
    }
}
