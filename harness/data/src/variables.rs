//! `${VAR}` and `${VAR:-default}` in a text. Where values come from is the caller's.

/// A text with variables, checked when it was read, filled in when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable { name: String, default: Option<String> },
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            if start > 0 {
                parts.push(Part::Literal(rest[..start].to_owned()));
            }
            let inside = &rest[start + 2..];
            let end = inside.find('}').ok_or_else(|| format!("`{text}` has `${{` without `}}`"))?;
            let (name, default) = match inside[..end].split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (&inside[..end], None),
            };
            let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(valid) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(format!("`{name}` is no variable's name; write ${{NAME}} or ${{NAME:-default}}"));
            }
            parts.push(Part::Variable { name: name.to_owned(), default });
            rest = &inside[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// What stands outside variables.
    pub(crate) fn literals(&self) -> String {
        let literal = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Variable { .. } => String::new(),
        };
        self.parts.iter().map(literal).collect()
    }

    /// The text with variables replaced. A variable that is empty counts as unset where there is a default, as in a shell.
    ///
    /// # Errors
    /// The name of a variable that is unset and has no default.
    pub(crate) fn expand(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Variable { name, default } => match (lookup(name), default) {
                    (Some(value), None) => out.push_str(&value),
                    (Some(value), Some(_)) if !value.is_empty() => out.push_str(&value),
                    (_, Some(default)) => out.push_str(default),
                    (None, None) => return Err(name.clone()),
                },
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_defaults_step_in() {
        let lookup = |name: &str| match name {
            "A" => Some("/a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let expand = |text: &str| Template::parse(text).unwrap().expand(&lookup);
        assert_eq!(expand("${A}/b").unwrap(), "/a/b");
        assert_eq!(expand("x/${B:-c d}/y${EMPTY:-z}").unwrap(), "x/c d/yz");
        assert_eq!(expand("plain").unwrap(), "plain");
        assert_eq!(expand("${B}").unwrap_err(), "B");
    }

    #[test]
    fn a_template_that_never_closes_is_refused() {
        assert!(Template::parse("${A").unwrap_err().contains("without"));
        assert!(Template::parse("${}").is_err());
        assert!(Template::parse("${1A}").is_err());
    }
}
