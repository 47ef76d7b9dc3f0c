//! Golden cases of distances to a bank (docs/methods.md, section 3): what a backend with that capability must
//! reproduce.

use std::path::Path;

use harness_backend_abi::host::{Precision, Session};
use harness_methods::memory_bank::{self, Banks, Join};
use harness_methods::{DeskError, MethodOptions, Nearest, Taps};

use crate::compare::Tolerances;
use crate::heads::{MethodCase, slices, text};
use crate::{CaseError, Line, Outcome};

/// Runs the cases of a bank of each tap in a folder of golden cases, by name; none where it has none. Each runs as the
/// iterator is advanced.
///
/// # Errors
/// A case that can't be read; nothing has run then.
pub fn check_nearest<'a>(
    session: &'a Session,
    folder: &Path,
    precision: Precision,
) -> Result<impl Iterator<Item = Outcome> + 'a, CaseError> {
    Ok(cases(folder)?.into_iter().map(move |case| Outcome { lines: run(&case, session, precision), case: case.name }))
}

/// The cases of a bank of each tap in a folder of golden cases, by name.
pub(crate) fn cases(folder: &Path) -> Result<Vec<MethodCase>, CaseError> {
    // Those of both classes and of joined taps ask for the same.
    let plain = |case: &MethodCase| match &case.options {
        MethodOptions::MemoryBank(options) => options.banks == Banks::Normal && options.join == Join::Sum,
        _ => false,
    };
    Ok(MethodCase::of(&["memory-bank"], folder)?.into_iter().filter(plain).collect())
}

/// The backend behind its table.
struct OnBackend<'a>(&'a Session);

impl Nearest for OnBackend<'_> {
    fn nearest(&mut self, queries: &[f32], bank: &[f32], width: usize) -> Result<Vec<f32>, DeskError> {
        Ok(self.0.nearest(bank, queries, width)?)
    }
}

pub(crate) fn run(case: &MethodCase, session: &Session, precision: Precision) -> Result<Vec<Line>, String> {
    let options = memory_bank::Options::default();
    let taps = case.encode(session, precision)?;
    let (arch, size) = (&case.file.arch, case.options.encoding().image_size);
    let of = |indices: &[usize]| case.some(&taps, indices);
    let (normal, test) = (of(&case.file.normal), of(&case.file.test));
    let view = |taps, images: usize| Taps::new(taps, images, arch.grid(size), arch.width).map_err(text);
    let normal = view(slices(&normal), case.file.normal.len())?;
    let test = view(slices(&test), case.file.test.len())?;
    let bank = memory_bank::fit(&options, None, &normal, None).map_err(text)?;
    let scores = memory_bank::score(&options, None, &bank, &test, &mut OnBackend(session)).map_err(text)?;
    let within = Tolerances::of(precision).taps;
    Ok(vec![case.line("grids.0", &scores.grids, within), case.line("detection", &scores.detection, within)])
}
