//! Environment variables in paths of configuration files.

use std::borrow::Cow;
use std::cell::RefCell;

/// A variable that can't be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// Not set, or empty, and no default.
    #[error("the environment variable {name} is not set; set it, or write ${{{name}:-default}}")]
    Unset {
        /// The variable.
        name: String,
    },
    /// `${` without `}`, or something other than a name inside.
    #[error("`{text}` is not a variable; write ${{NAME}} or ${{NAME:-default}}")]
    Malformed {
        /// The text from `${` on.
        text: String,
    },
}

/// Replaces `$NAME`, `${NAME}` and `${NAME:-default}` with what `variable` knows; `$$` is a dollar sign. An empty
/// variable counts as unset. A default is taken as it is and ends at the first `}`. A `~` at the beginning, by itself
/// or before `/`, then stands for `$HOME`.
///
/// # Errors
/// A variable without value and default, or a malformed one.
pub fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    // The crate leaves an open brace as it is and gives any name its default; here both are mistakes.
    if let Some(open) = text.rfind("${").map(|begin| &text[begin..]).filter(|open| !open.contains('}')) {
        return Err(ExpandError::Malformed { text: open.to_owned() });
    }
    let malformed = RefCell::new(None);
    let lookup = |name: &str| {
        if !is_name(name) {
            malformed.borrow_mut().get_or_insert_with(|| ExpandError::Malformed { text: format!("${{{name}}}") });
        }
        match variable(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(Some(value)),
            None => Err(ExpandError::Unset { name: name.to_owned() }),
        }
    };
    let expanded = shellexpand::env_with_context(text, lookup);
    match malformed.into_inner() {
        Some(malformed) => Err(malformed),
        None => at_home(expanded.map(Cow::into_owned).map_err(|error| error.cause)?, &variable),
    }
}

/// A path that begins with `~`, with the home folder instead. Another user's, `~name`, can be a file's name as well.
fn at_home(path: String, variable: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    if path != "~" && !path.starts_with("~/") {
        return Ok(path);
    }
    let home = variable("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| ExpandError::Unset { name: "HOME".to_owned() })?;
    Ok(shellexpand::tilde_with_context(&path, || Some(home)).into_owned())
}

fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(known) && !name.starts_with(|c: char| c.is_ascii_digit())
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
        assert_eq!(expand("a${EMPTY:-}b ${HOME}", variable).as_deref(), Ok("ab /home/a"));
        assert_eq!(expand("${NONE:-}${HOME:-}", variable).as_deref(), Ok("/home/a"));
    }

    #[test]
    fn a_variable_needs_no_braces_and_a_dollar_sign_can_be_written() {
        assert_eq!(expand("$HOME/w.pt", variable).as_deref(), Ok("/home/a/w.pt"));
        assert_eq!(expand("a$$b/$/c", variable).as_deref(), Ok("a$b/$/c"));
        assert_eq!(expand("{shots}-{draw}", variable).as_deref(), Ok("{shots}-{draw}"));
    }

    #[test]
    fn a_tilde_at_the_beginning_is_the_home_folder() {
        assert_eq!(expand("~/w.pt", variable).as_deref(), Ok("/home/a/w.pt"));
        assert_eq!(expand("~", variable).as_deref(), Ok("/home/a"));
        assert_eq!(expand("${NONE:-~/data}/x", variable).as_deref(), Ok("/home/a/data/x"));
        for plain in ["~other/w.pt", "a/~/w.pt", "a~"] {
            assert_eq!(expand(plain, variable).as_deref(), Ok(plain));
        }
        assert_eq!(expand("~/w.pt", |_| None), Err(ExpandError::Unset { name: "HOME".to_owned() }));
    }

    #[test]
    fn a_variable_without_value_or_form_says_what_to_write() {
        let message = |text: &str| expand(text, variable).map_err(|error| error.to_string());
        for name in ["NONE", "EMPTY"] {
            let advice = format!("the environment variable {name} is not set; set it, or write ${{{name}:-default}}");
            assert_eq!(message(&format!("${{{name}}}/w")), Err(advice.clone()));
            assert_eq!(message(&format!("${name}/w")), Err(advice));
        }
        let malformed = |text: &str| Err(format!("`{text}` is not a variable; write ${{NAME}} or ${{NAME:-default}}"));
        assert_eq!(message("x/${NONE"), malformed("${NONE"));
        assert_eq!(message("${a b:-c}"), malformed("${a b}"));
        assert_eq!(message("${:-c}"), malformed("${:-c}"));
        assert_eq!(message("${}"), malformed("${}"));
        assert_eq!(message("${1A}"), malformed("${1A}"));
    }
}
