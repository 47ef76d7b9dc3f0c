//! `${VAR}` and `${VAR:-default}` in paths of configuration files. Who asks says what the variables are.

/// A variable that can't be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// Not set, or empty, and no default.
    #[error("the environment variable {name} is not set; set it, or write ${{{name}:-DEFAULT}}")]
    Unset {
        /// The variable.
        name: String,
    },
    /// `${` without `}`, or something else than a name inside.
    #[error("`{text}` is no variable; write ${{NAME}} or ${{NAME:-default}}")]
    Malformed {
        /// The text from `${` on.
        text: String,
    },
}

/// Replaces `${VAR}` and `${VAR:-default}`. As in a shell, an empty variable counts as unset for a default. A `$`
/// that no brace follows stands for itself; a default is taken as it is and ends at the first `}`.
///
/// # Errors
/// A variable without value and default, or a malformed one.
pub fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        expanded.push_str(&rest[..at]);
        let open = &rest[at..];
        let malformed = || ExpandError::Malformed { text: open.to_owned() };
        let end = open.find('}').ok_or_else(malformed)?;
        let inside = &open[2..end];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let named = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !named {
            return Err(malformed());
        }
        match (variable(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => expanded.push_str(&value),
            (None, Some(default)) => expanded.push_str(default),
            (None, None) => return Err(ExpandError::Unset { name: name.to_owned() }),
        }
        rest = &open[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn a_variable_wins_over_its_default_and_an_empty_one_does_not() {
        assert_eq!(expand("${HOME:-x}/w.pt", variable).as_deref(), Ok("/home/a/w.pt"));
        assert_eq!(expand("${NONE:-weights}/w.pt", variable).as_deref(), Ok("weights/w.pt"));
        assert_eq!(expand("a${EMPTY:-}b $HOME ${HOME}", variable).as_deref(), Ok("ab $HOME /home/a"));
    }

    #[test]
    fn a_variable_without_value_or_form_says_what_to_write() {
        let message = |text| expand(text, variable).map_err(|error| error.to_string());
        assert_eq!(
            message("${NONE}/w"),
            Err("the environment variable NONE is not set; set it, or write ${NONE:-DEFAULT}".to_owned())
        );
        assert_eq!(message("x/${NONE"), Err("`${NONE` is no variable; write ${NAME} or ${NAME:-default}".to_owned()));
        assert!(expand("${}", variable).is_err());
        assert!(expand("${a b}", variable).is_err());
    }
}
