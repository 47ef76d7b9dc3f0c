//! What people look at: summary tables, figures and `report.md`, made from records. No score is computed here, and the
//! same input always gives the same bytes.
//!
//! Figures are drawn once, over any Plotters backend, and rendered as SVG (85 mm wide, text as text) and as PNG. Units of
//! a drawing are 1/1640 of its width.

mod ablation;
mod axes;
mod backends;
mod colour;
mod cross_dataset;
mod error;
mod few_shot;
mod figures;
mod font;
mod marks;
mod measure;
mod optimism;
mod overlay;
mod panel;
mod published;
mod raster;
mod render;
mod report;
mod roc;
mod sheet;
mod summary;
mod tables;
mod training_curve;
mod vector;
mod wide;

pub use colour::heat;
pub use error::ReportError;
pub use measure::ReportDataset;
pub use overlay::{OverlayFigure, overlay};
pub use panel::{Candidate, PanelFigure, PanelRow, Pixels, choose, panel};
pub use published::published;
pub use render::Rendered;
pub use report::{ReportInput, write_report};
pub use roc::{RocFigure, RocSeries, roc};
pub use summary::{SummaryRow, summary, summary_frame};
pub use training_curve::{CurveFigure, CurveSeries, training_curve};
pub use wide::{BEST_ON_TEST_NOTE, wide};
