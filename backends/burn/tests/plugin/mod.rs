//! A plugin on Burn that cargo built beside a test: found, loaded, and run on the golden cases. The tests of
//! each plugin include this file.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each plugin uses a part of it"
)]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::PathBuf;

use harness_backend_abi::host::{Backend, ImageTowerOptions, NamedTensor, Precision, Session, SessionOptions};
use harness_conformance::{Case, Outcome, check, check_heads, check_nearest, check_windows, through_table};

/// Where cargo puts the library it builds for a test.
pub fn built(name: &str) -> PathBuf {
    let file = format!("{DLL_PREFIX}harness_backend_{name}{DLL_SUFFIX}");
    std::env::current_exe().unwrap().with_file_name(file)
}

pub fn load(name: &str) -> Backend {
    Backend::load(&built(name)).unwrap_or_else(|cause| panic!("{cause}"))
}

pub fn open(backend: &Backend, device: &str, threads: Option<usize>) -> Session {
    let options = SessionOptions { threads, ..SessionOptions::on(device) };
    backend.open(&options).unwrap_or_else(|cause| panic!("{cause}"))
}

/// The devices of a backend; none, after saying so, where this machine has none.
pub fn devices(backend: &Backend) -> Vec<String> {
    let description = backend.describe();
    if description.devices.is_empty() {
        println!("skipped: {}", description.note.as_deref().unwrap_or("no device"));
    }
    description.devices.clone()
}

/// Runs the cases of the repository, and those of `HARNESS_GOLDEN`; a line a quantity.
pub fn reproduces_the_golden_cases(session: &Session) {
    let more = std::env::var_os("HARNESS_GOLDEN").map(PathBuf::from);
    let mut failed = Vec::new();
    for folder in std::iter::once(harness_tests::golden("")).chain(more) {
        let mut subject = through_table(session, Precision::F32);
        let outcomes = check(&mut subject, &folder, Precision::F32).unwrap_or_else(|cause| panic!("{cause}"));
        let heads = check_heads(session, &folder, Precision::F32).unwrap_or_else(|cause| panic!("{cause}"));
        let windows = check_windows(session, &folder, Precision::F32).unwrap_or_else(|cause| panic!("{cause}"));
        let nearest = check_nearest(session, &folder, Precision::F32).unwrap_or_else(|cause| panic!("{cause}"));
        for outcome in outcomes.chain(heads).chain(windows).chain(nearest) {
            print(&outcome);
            if !outcome.passes() {
                failed.push(outcome.case);
            }
        }
    }
    assert!(failed.is_empty(), "beyond their tolerance: {failed:?}");
}

fn print(Outcome { case, lines }: &Outcome) {
    match lines {
        Err(cause) => println!("FAIL {case} {cause}"),
        Ok(lines) => lines.iter().for_each(|line| {
            let verdict = if line.passes() { "ok" } else { "FAIL" };
            let worst = line.worst.as_deref().unwrap_or_default();
            println!("{verdict} {case} {} {:.2e} <= {:.0e} {worst}", line.quantity, line.error, line.tolerance);
        }),
    }
}

/// Taps of the first golden case's images at a precision, one after another.
pub fn taps(session: &Session, precision: Precision) -> Vec<f32> {
    let case = Case::read_all(&harness_tests::golden("")).unwrap().remove(0);
    let options = ImageTowerOptions::of_model(&case.options, &case.arch, precision).unwrap();
    let weights: Vec<NamedTensor<'_>> =
        case.weights.iter().map(|(name, tensor)| NamedTensor::f32(name, &tensor.shape, &tensor.data)).collect();
    let mut tower = session.load_image_tower(&options, &weights).unwrap();
    let (n, shape) = (case.labels.len(), tower.shape());
    let mut taps = vec![vec![0.0; n * shape.tokens * shape.width]; shape.taps];
    let mut buffers: Vec<&mut [f32]> = taps.iter_mut().map(Vec::as_mut_slice).collect();
    tower.encode_u8(&case.images, n, &mut buffers).unwrap();
    taps.concat()
}

/// Norm of the difference over the norm of what is expected.
pub fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied())
}
