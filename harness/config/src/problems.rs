//! What is wrong with a configuration file: positions and advice.

use std::fmt;

use crate::source::Source;

/// One thing wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, then what to do.
    pub message: String,
}

/// Everything wrong with a file, in the file's order. Prints a line each: `file:line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file as the user gave it.
    pub path: String,
    /// At least one.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.list.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{}:{}:{}: {}", self.path, problem.line, problem.column, problem.message)?;
        }
        Ok(())
    }
}

/// Problems while they are collected, by byte offset.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<(usize, String)>);

impl Findings {
    /// Notes a problem at a byte of the file: what is wrong, then what to do.
    pub fn add(&mut self, offset: usize, message: impl Into<String>) {
        self.0.push((offset, message.into()));
    }

    /// How many there are so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends collecting. A bad value is met again by whatever inherits it, so each position and message is listed once.
    ///
    /// # Errors
    /// The problems, where there are any.
    pub fn into_problems(mut self, source: &Source) -> Result<(), Problems> {
        self.0.sort();
        self.0.dedup();
        if self.0.is_empty() {
            return Ok(());
        }
        let list = self
            .0
            .into_iter()
            .map(|(offset, message)| {
                let (line, column) = source.position(offset);
                Problem { line, column, message }
            })
            .collect();
        Err(Problems { path: source.path().display().to_string(), list })
    }
}
