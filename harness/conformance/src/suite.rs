//! All that a backend is checked with, case by case: golden cases of a folder, as far as the backend has the
//! capabilities, and cases of shapes, which need no file.

use std::path::Path;

use harness_backend_abi::host::{Capability, Precision, Session};

use crate::heads::{self, MethodCase};
use crate::shapes::{self, check_shape};
use crate::{Case, CaseError, Outcome, Subject, compare, nearest, through_table, windows};

/// The cases for one backend, in their order.
pub struct Suite(Vec<Kind>);

/// A case by what runs it.
enum Kind {
    Model(Box<Case>),
    Heads(Box<MethodCase>),
    Windows(Box<MethodCase>),
    Nearest(Box<MethodCase>),
    Shape(&'static str),
}

impl Suite {
    /// The cases in a folder of golden cases, if one is given, that a backend with these capabilities can run; then
    /// those of shapes.
    ///
    /// # Errors
    /// The folder holds no case, or one that can't be read.
    pub fn read(golden: Option<&Path>, capabilities: &[Capability]) -> Result<Self, CaseError> {
        let mut all = Vec::new();
        if let Some(folder) = golden {
            all.extend(Case::read_all(folder)?.into_iter().map(|case| Kind::Model(Box::new(case))));
            let mut add = |capability, cases: Vec<MethodCase>, kind: fn(Box<MethodCase>) -> Kind| {
                if capabilities.contains(&capability) {
                    all.extend(cases.into_iter().map(|case| kind(Box::new(case))));
                }
            };
            add(Capability::Heads, heads::cases(folder)?, Kind::Heads);
            add(Capability::Windows, windows::cases(folder)?, Kind::Windows);
            // Without it the harness computes distances.
            add(Capability::Nearest, nearest::cases(folder)?, Kind::Nearest);
        }
        all.extend(shapes::names().map(Kind::Shape));
        Ok(Self(all))
    }

    /// Their names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Kind::name)
    }

    /// Keeps the cases of this name. Whether there are any.
    pub fn keep(&mut self, name: &str) -> bool {
        self.0.retain(|kind| kind.name() == name);
        !self.0.is_empty()
    }

    /// Runs them in their order, each as the iterator is advanced, on an open device in a precision; for `tf32` the
    /// session was opened with it. Cases of shapes are compared with `reference`.
    pub fn run<'a>(
        &'a self,
        session: &'a Session,
        reference: &'a Session,
        precision: Precision,
    ) -> impl Iterator<Item = Outcome> + 'a {
        self.0.iter().map(move |kind| {
            let mut subject = through_table(session, precision);
            let lines = match kind {
                Kind::Model(case) => subject.run(case).map(|observed| compare(case, &observed, precision)),
                Kind::Heads(case) => case.run(session, precision),
                Kind::Windows(case) => windows::run(case, session, precision),
                Kind::Nearest(case) => nearest::run(case, session, precision),
                Kind::Shape(name) => {
                    let mut subject = subject.in_batches(shapes::BATCHES);
                    let mut reference = through_table(reference, Precision::F32);
                    return check_shape(name, &mut subject, &mut reference, precision);
                }
            };
            Outcome { case: kind.name().to_owned(), lines }
        })
    }
}

impl Kind {
    fn name(&self) -> &str {
        match self {
            Self::Model(case) => &case.name,
            Self::Heads(case) | Self::Windows(case) | Self::Nearest(case) => &case.name,
            Self::Shape(name) => name,
        }
    }
}
