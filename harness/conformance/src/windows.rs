//! Golden cases of windows (docs/methods.md, section 2): what a backend with that capability must reproduce.

use std::path::Path;

use harness_backend_abi::host::{Precision, Session};
use harness_methods::Projection;

use crate::compare::Tolerances;
use crate::heads::{MethodCase, WINCLIP, text};
use crate::{CaseError, Line, Outcome};

/// Runs the cases of windows in a folder of golden cases, by name; none where it has none. Each runs as the iterator is
/// advanced.
///
/// # Errors
/// A case that can't be read; nothing has run then.
pub fn check_windows<'a>(
    session: &'a Session,
    folder: &Path,
    precision: Precision,
) -> Result<impl Iterator<Item = Outcome> + 'a, CaseError> {
    Ok(cases(folder)?.into_iter().map(move |case| Outcome { lines: run(&case, session, precision), case: case.name }))
}

/// The cases of windows in a folder of golden cases, by name.
pub(crate) fn cases(folder: &Path) -> Result<Vec<MethodCase>, CaseError> {
    MethodCase::of(&[WINCLIP], folder)
}

/// Windows of the first image.
pub(crate) fn run(case: &MethodCase, session: &Session, precision: Precision) -> Result<Vec<Line>, String> {
    let weight = |name: &str| {
        let tensor = case.weights.get(name).ok_or_else(|| format!("no weights `{name}`"))?;
        Ok::<_, String>(tensor.data.clone())
    };
    let (scale, shift) = (weight("visual.ln_post.weight")?, weight("visual.ln_post.bias")?);
    let projection = Projection::new(scale, shift, weight("visual.proj")?).map_err(text)?;
    let mut tower = case.tower(session, precision)?;
    let encoding = case.options.encoding();
    let image = case.images.get(..3 * encoding.image_size.pow(2)).ok_or("a case without images")?;
    let mut lines = Vec::new();
    for &side in encoding.windows {
        let shape = tower.shape();
        let count = shape.windows(side).ok_or_else(|| format!("no windows of {side} patches a side"))?;
        let mut tokens = vec![0.0; count * shape.width];
        tower.encode_windows_u8(image, 1, side, &mut tokens).map_err(text)?;
        lines.push(case.line(&format!("windows.{side}"), &projection.project(&tokens), Tolerances::of(precision).taps));
    }
    Ok(lines)
}
