//! All cases of a folder on one subject, one after another.

use std::path::Path;

use harness_method::Precision;

use crate::{Case, CaseError, Line, Subject, compare};

/// How a subject did on a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case's name.
    pub case: String,
    /// Each compared quantity, or what kept the subject from the end.
    pub lines: Result<Vec<Line>, String>,
}

impl Outcome {
    /// Whether the subject came to the end and every quantity is within its tolerance.
    pub fn passes(&self) -> bool {
        self.lines.as_ref().is_ok_and(|lines| lines.iter().all(Line::passes))
    }
}

/// Runs every case in the sub-folders of `folder`, by name; each as the iterator is advanced. `precision` is the one
/// that the subject computes in.
///
/// # Errors
/// The folder holds no case, or one that cannot be read; nothing has run then.
pub fn check<'a>(
    subject: &'a mut dyn Subject,
    folder: &Path,
    precision: Precision,
) -> Result<impl Iterator<Item = Outcome> + 'a, CaseError> {
    let cases = Case::read_all(folder)?;
    Ok(cases.into_iter().map(move |case| {
        let lines = subject.run(&case).map(|observed| compare(&case, &observed, precision));
        Outcome { case: case.name, lines }
    }))
}
