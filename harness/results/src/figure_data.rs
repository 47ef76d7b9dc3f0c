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
    /// What more the caption says where bands are drawn.
    pub bands: String,
    /// The curves.
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
    /// The trainings.
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
    /// The width of the image over its height, before it was made square.
    pub aspect: f64,
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

/// A variant among others by its mean rank.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedVariant {
    /// Its name.
    pub label: String,
    /// Its rank on each dataset, in the order of [`RankPlot::datasets`]: 1 is the best, equals share the mean of
    /// theirs.
    pub ranks: Vec<f64>,
    /// Their mean.
    pub rank: f64,
}

/// Variants by their mean ranks in one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct RankPlot {
    /// The measure.
    pub measure: String,
    /// The datasets that ranks are over.
    pub datasets: Vec<String>,
    /// The variants, the best first.
    pub variants: Vec<RankedVariant>,
    /// Groups of variants, as ascending indices, of which no test tells any two apart. Each pair that is not told apart
    /// is in one of them, and no pair that is.
    pub joined: Vec<Vec<usize>>,
    /// Variants without a number on each of the datasets.
    pub left_out: Vec<String>,
}

/// Mean ranks at one K, by one rule, on one backend.
#[derive(Clone, Debug, PartialEq)]
pub struct RankFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// Rule that chose the epochs.
    pub selection: Selection,
    /// A plot for each measure.
    pub plots: Vec<RankPlot>,
}

/// A variant by what it costs and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct CostPoint {
    /// The variant.
    pub label: String,
    /// The mean, a fraction.
    pub value: f64,
    /// The interval's ends.
    pub interval: (f64, f64),
    /// Whether something is learnt from support images.
    pub trains: bool,
    /// Seconds to fit, where that is known and something is fitted.
    pub fit: Option<f64>,
    /// Seconds to score a test image, where that is known.
    pub image: Option<f64>,
}

/// A measure over costs.
#[derive(Clone, Debug, PartialEq)]
pub struct CostPlot {
    /// The measure.
    pub measure: String,
    /// The variants in the order of the experiment.
    pub points: Vec<CostPoint>,
    /// What the picture has to say of the measure without its caption, behind the names of axes.
    pub remark: String,
}

/// Cost against quality at one K.
#[derive(Clone, Debug, PartialEq)]
pub struct CostFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report, and where times were measured.
    pub caption: String,
    /// Rule that chose the epochs.
    pub selection: Selection,
    /// A plot for each measure.
    pub plots: Vec<CostPlot>,
}

/// A test image that a panel shows under several variants.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelImage {
    /// Why it is shown.
    pub role: Role,
    /// Name of the file.
    pub file: String,
    /// The width of the image over its height, before it was made square.
    pub aspect: f64,
    /// The image, S x S.
    pub image: Pixels,
    /// The true lesion, S x S; zero is healthy.
    pub truth: Vec<u8>,
}

/// The maps of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelMaps {
    /// The variant.
    pub label: String,
    /// Of each image the map, S x S, and its largest value as it was scored.
    pub maps: Vec<(Vec<f32>, Option<f64>)>,
}

/// The same test images under several variants.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodPanelFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// Side S of images, truths and maps in pixels.
    pub side: usize,
    /// The images, left to right.
    pub images: Vec<PanelImage>,
    /// The variants, top to bottom.
    pub variants: Vec<PanelMaps>,
}
