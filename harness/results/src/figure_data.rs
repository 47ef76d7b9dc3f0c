//! The data of figures: curves and pictures with their captions.

use std::fmt;

use harness_experiment::Selection;
use harness_tables::CurveRow;

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct RocSeries {
    /// Name in the legend.
    pub label: String,
    /// Rule that chose the epoch; `best-on-test` is written beside the label.
    pub selection: Selection,
    /// False-positive and true-positive rate, ascending, from (0, 0) to (1, 1).
    pub points: Vec<(f64, f64)>,
    /// A band round it: false-positive rate, lowest and highest true-positive rate, ascending; empty for none.
    pub band: Vec<(f64, f64, f64)>,
    /// Area under it, as recorded.
    pub auroc: f64,
}

/// Curves in one plot.
#[derive(Clone, Debug, PartialEq)]
pub struct RocFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// The curves, six at most.
    pub series: Vec<RocSeries>,
}

/// One training.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveSeries {
    /// Name in the legend.
    pub label: String,
    /// Its epochs, ascending.
    pub rows: Vec<CurveRow>,
}

/// Trainings in one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// The trainings, six at most.
    pub series: Vec<CurveSeries>,
}

/// An image's bytes, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// One byte a pixel.
    Gray(Vec<u8>),
    /// Three bytes a pixel: red, green, blue.
    Rgb(Vec<u8>),
}

/// Why a test image is shown, in the order of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The abnormal image with the highest quality.
    Best,
    /// The one in the middle.
    Median,
    /// The one with the lowest.
    Worst,
    /// The normal image with the highest score.
    HighestNormal,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Best => "best",
            Self::Median => "median",
            Self::Worst => "worst",
            Self::HighestNormal => "highest normal",
        })
    }
}

/// One test image.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelRow {
    /// Why it is shown.
    pub role: Role,
    /// File name and its value, as in `img_0042.png, pixel AP 0.312`.
    pub title: String,
    /// Side S of image, truth and map in pixels.
    pub side: usize,
    /// The image, S x S.
    pub image: Pixels,
    /// The true lesion, S x S; zero is healthy.
    pub truth: Vec<u8>,
    /// The anomaly map, S x S.
    pub map: Vec<f32>,
}

/// Test images of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// The images, top to bottom.
    pub rows: Vec<PanelRow>,
}
