//! A subject's results against the expected ones, quantity by quantity, with their tolerances.

use harness_method::{Precision, losses};

use crate::{Case, Observed};

/// One compared quantity of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What was compared, such as `gradients` (the worst of them) or `maps`.
    pub quantity: String,
    /// Relative error; absolute where the expected norm is below 1e-7.
    pub error: f64,
    /// The most it may be.
    pub tolerance: f64,
    /// Which tensor was worst, where a line covers several.
    pub worst: Option<String>,
}

impl Line {
    /// The error over the tolerance: 1 is just within; NaN counts as infinite.
    pub fn share(&self) -> f64 {
        if self.error.is_nan() { f64::INFINITY } else { self.error / self.tolerance }
    }

    /// Whether the error is within the tolerance; NaN is not.
    pub fn passes(&self) -> bool {
        self.error <= self.tolerance
    }
}

/// The losses in `expected.safetensors`, one a column.
pub(crate) const COLUMNS: [&str; 3] = [losses::DETECTION, losses::FOCAL, losses::DICE];

/// Below this norm an expected tensor is zero, and the absolute norm of the difference counts.
const ZERO_NORM: f64 = 1e-7;
/// What the absolute norm may be then.
const ZERO_TOLERANCE: f64 = 1e-6;

/// How far a subject may be off, by what is compared.
#[derive(Clone, Copy, Debug)]
pub struct Tolerances {
    /// Taps of images.
    pub taps: f64,
    /// Text vectors.
    pub text: f64,
    /// Each loss of a step.
    pub losses: f64,
    /// Gradients of a step.
    pub gradients: f64,
    /// Parameters after some steps.
    pub parameters: f64,
    /// Grids, maps and detection scores.
    pub scores: f64,
}

/// Those of docs/method.md, section 10.
const EXACT: Tolerances =
    Tolerances { taps: 1e-4, text: 1e-4, losses: 1e-4, gradients: 1e-3, parameters: 1e-3, scores: 1e-3 };

impl Tolerances {
    /// Those of a precision. In half precision the image tower rounds, and what is computed from its taps follows;
    /// under `tf32` the rest rounds, too. They are two to three times the errors of LibTorch on the processor (f16:
    /// taps 1.1e-3, gradients 0.09, scores 4e-3; bf16: 1.1e-2, 0.21, 1.2e-2): wide enough for another order of sums,
    /// far too narrow for a wrong product.
    pub fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 => EXACT,
            Precision::Tf32 => Self { text: 5e-3, ..Self::of(Precision::F16) },
            Precision::F16 => Self { taps: 3e-3, losses: 1e-2, gradients: 0.2, parameters: 0.2, scores: 1e-2, ..EXACT },
            Precision::Bf16 => {
                Self { taps: 3e-2, losses: 5e-2, gradients: 0.5, parameters: 0.5, scores: 3e-2, ..EXACT }
            }
        }
    }
}

/// Compares a subject's results with those that the case expects: in f32 taps, text and loss terms within 1e-4,
/// gradients, parameters and scores within 1e-3.
pub fn compare(case: &Case, observed: &Observed, precision: Precision) -> Vec<Line> {
    let within = Tolerances::of(precision);
    let mut lines = Vec::new();
    let expected = |name: &str| case.expected.get(name).map_or(&[][..], |tensor| &tensor.data);
    for (i, tap) in case.options.taps.iter().enumerate() {
        let name = format!("tap.{tap}");
        let found = observed.taps.get(i).map_or(&[][..], |tap| tap);
        lines.push(line(&name, expected(&name), found, within.taps));
    }
    lines.push(line("text.initial", expected("text.initial"), &observed.text, within.text));
    let names = losses::names(&case.options, case.has_masks);
    for (column, name) in COLUMNS.into_iter().enumerate() {
        let terms = expected("losses").chunks_exact(COLUMNS.len()).map(|step| step[column]);
        // Without masks a case has zeros for the losses of the maps, and the method has no such losses.
        let found = |step: &Vec<f32>| match names.iter().position(|known| *known == name) {
            Some(index) => step.get(index).copied().unwrap_or(f32::NAN),
            None => 0.0,
        };
        let found: Vec<f32> = observed.losses.iter().map(found).collect();
        let each = terms.enumerate().map(|(i, value)| {
            let found = found.get(i).map_or(&[][..], std::slice::from_ref);
            line(&format!("step {}", i + 1), &[value], found, within.losses)
        });
        lines.extend(worst(&format!("loss.{name}"), each));
    }
    let prefixed = |prefix: &'static str| {
        let mut names: Vec<&str> = case.expected.keys().filter_map(|name| name.strip_prefix(prefix)).collect();
        names.sort_unstable();
        names
    };
    for (label, prefix, found, within) in [
        ("gradients", "gradient.", &observed.gradients, within.gradients),
        ("parameters", "final.", &observed.parameters, within.parameters),
    ] {
        let each = prefixed(prefix).into_iter().map(|name| {
            let found = found.get(name).map_or(&[][..], |tensor| tensor);
            let (want, found) = without_key_bias(name, expected(&format!("{prefix}{name}")), found);
            line(name, &want, &found, within)
        });
        lines.extend(worst(label, each));
    }
    lines.push(line("maps", expected("maps"), &observed.maps, within.scores));
    lines.push(line("detection", expected("detection"), &observed.detection, within.scores));
    lines
}

/// The key third of `attn.in_proj.bias` has a true gradient of zero; its values are rounding noise that Adam enlarges.
fn without_key_bias(name: &str, expected: &[f32], found: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let keep = |values: &[f32]| {
        if !name.ends_with("attn.in_proj.bias") {
            return values.to_vec();
        }
        let third = values.len() / 3;
        [&values[..third], &values[2 * third..]].concat()
    };
    (keep(expected), keep(found))
}

/// Compares a quantity, found and expected: the norm of the difference by the norm of what is expected, or that norm
/// itself where nothing but zeros is.
pub fn line(quantity: &str, expected: &[f32], found: &[f32], tolerance: f64) -> Line {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let size = norm(&mut expected.iter().map(|&x| f64::from(x)));
    let difference = norm(&mut expected.iter().zip(found).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    let (error, tolerance) = if expected.len() != found.len() || expected.is_empty() {
        (f64::INFINITY, tolerance)
    } else if size < ZERO_NORM {
        (difference, ZERO_TOLERANCE)
    } else {
        (difference / size, tolerance)
    };
    Line { quantity: quantity.to_owned(), error, tolerance, worst: None }
}

/// The line that uses most of its tolerance, under a common label.
pub fn worst(label: &str, lines: impl Iterator<Item = Line>) -> Option<Line> {
    lines.max_by(|a, b| a.share().total_cmp(&b.share())).map(|line| Line {
        worst: Some(line.quantity),
        quantity: label.to_owned(),
        ..line
    })
}
