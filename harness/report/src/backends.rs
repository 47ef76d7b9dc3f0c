//! The table of backends: times, memory and metrics of each on the same cells, the reference first.

use harness_tables::{BackendRow, Frame};

use crate::ReportError;
use crate::print::Print;
use crate::sheet::{Sheet, Table};

/// A line of the table: its name with the unit, and how a backend's value reads.
type Line = (&'static str, fn(&BackendRow, &Print) -> Option<String>);

/// The lines, in the order of the row's fields.
const LINES: [Line; 16] = [
    ("version", |row, _| Some(row.version.clone())),
    ("device", |row, _| Some(row.device.clone())),
    ("precision", |row, _| Some(row.precision.clone())),
    ("cells", |row, _| Some(row.cells.to_string())),
    ("load (s)", |row, _| row.load_secs.map(|v| format!("{v:.2}"))),
    ("encode (images/s)", |row, _| row.encode_rate.map(rate)),
    ("train step, median (ms)", |row, _| row.step_p50_ms.map(|v| format!("{v:.1}"))),
    ("train step, 95th percentile (ms)", |row, _| row.step_p95_ms.map(|v| format!("{v:.1}"))),
    ("score (images/s)", |row, _| row.score_rate.map(rate)),
    ("encode, share of matrix-product rate (%)", |row, _| row.gemm_share.map(|v| format!("{:.1}", v * 100.0))),
    ("peak host memory (MiB)", |row, _| row.host_bytes.map(mebibytes)),
    ("peak device memory (MiB)", |row, _| row.device_bytes.map(mebibytes)),
    ("image AUROC", |row, print| row.image_auroc.map(|v| print.fraction(v, None))),
    ("pixel AUROC", |row, print| row.pixel_auroc.map(|v| print.fraction(v, None))),
    ("largest map difference", |row, _| row.map_difference.map(plain)),
    ("largest score difference", |row, _| row.score_difference.map(plain)),
];

/// The name of the backend at an index, with its device or precision where another backend has the same name.
pub(crate) fn label(rows: &[BackendRow], at: usize) -> String {
    let Some(row) = rows.get(at) else { return String::new() };
    let twins = || rows.iter().filter(|other| other.backend == row.backend);
    let mut label = row.backend.clone();
    if twins().any(|other| other.device != row.device) {
        label += &format!(" on {}", row.device);
    }
    if twins().any(|other| other.precision != row.precision) {
        label += &format!(", {}", row.precision);
    }
    label
}

/// The table of backends; `None` where there are none.
pub(crate) fn backends(rows: &[BackendRow], print: &Print) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let labels: Vec<String> = (0..rows.len()).map(|at| label(rows, at)).collect();
    let mut sheet = Sheet::new(&["measure"], &labels.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, of) in LINES {
        let difference = name.ends_with("difference");
        let cell = |(at, row): (usize, &BackendRow)| match of(row, print) {
            Some(words) => words,
            None if at == 0 && difference => "reference".to_owned(),
            None => "not measured".to_owned(),
        };
        let mut words = vec![name.to_owned()];
        words.extend(rows.iter().enumerate().map(cell));
        sheet.push(words);
    }
    let unmeasured = rows.iter().any(|row| row.encode_rate.is_none()).then(|| {
        "encode: not measured where a backend found its images encoded already; run the experiment with --cache and a new folder \
         to measure it."
            .to_owned()
    });
    Ok(Some(Table {
        name: "backends",
        heading: "Backends",
        sentence: format!(
            "The same cells, initial values and batches on each backend; `{}` is the reference that maps and scores are compared \
             with.",
            labels.first().map_or("", String::as_str)
        ),
        brief: vec!["The same cells on each backend; speeds are medians.".to_owned()],
        notes: vec![
            "Speeds are of the processes that computed these cells, on the machine named above. The share of the matrix-product \
             rate sets encoding against large f32 products on the same device, measured in the same run; differences are absolute, \
             the largest over all test images."
                .to_owned(),
        ]
        .into_iter()
        .chain(unmeasured)
        .collect(),
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(rows)?,
    }))
}

fn rate(v: f64) -> String {
    if v < 100.0 { format!("{v:.2}") } else { format!("{v:.0}") }
}

/// A number with two digits that count.
fn plain(v: f64) -> String {
    match v.abs() {
        0.0 => "0".to_owned(),
        a if a < 1e-3 => format!("{v:.1e}").replace('-', "−"),
        a if a < 9.95 => format!("{v:.*}", ((1.0 - a.log10().floor()) as usize).min(4)),
        _ => format!("{v:.0}"),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / f64::from(1 << 20))
}
