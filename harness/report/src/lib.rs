//! Tables, figures and `report.md`, made from typed results. No score is computed here, and the same input always gives
//! the same bytes.
//!
//! Figures are drawn once, as SVG (text as text), and the PNG and the PDF are made from that. A unit of a drawing is
//! 1/1640 of a column of 85 mm.

mod ablation;
mod answer;
mod axes;
mod backend_bars;
mod backends;
mod best;
mod colour;
mod comparisons;
mod controls;
mod cost;
mod cross_dataset;
mod error;
mod few_shot;
mod figure_data;
mod figures;
mod font;
mod forest;
mod heat_map;
mod labels;
mod marks;
mod material;
mod means;
mod measure;
mod method_panel;
mod methods;
mod numbers;
mod optimism;
mod outline;
mod overlay;
mod overview;
mod panel;
mod pdf;
mod picture;
mod plots;
mod print;
mod published;
mod published_lines;
mod ranks;
mod raster;
mod render;
mod report;
mod roc;
mod sheet;
mod shots;
mod summary;
mod tables;
mod training_curve;
mod vector;
mod wide;
mod words;

pub use harness_results::{
    Candidate, CostFigure, CostPlot, CostPoint, CurveFigure, CurveSeries, MethodPanelFigure, PanelFigure, PanelImage,
    PanelMaps, PanelRow, Pixels, RankFigure, RankPlot, RankedVariant, ReportDataset, ReportInput, RocFigure, RocSeries,
    Role, choose,
};

pub use backend_bars::{Bar, BarFigure, BarPlot, bars};
pub use colour::heat;
pub use cost::cost;
pub use error::ReportError;
pub use forest::{ForestFigure, ForestPlot, ForestRow, forest};
pub use heat_map::{HeatCell, HeatFigure, heat_map};
pub use method_panel::method_panel;
pub use overlay::{OverlayFigure, overlay};
pub use overview::{Overview, OverviewLine, OverviewNumber};
pub use panel::panel;
pub use published::published;
pub use ranks::ranks;
pub use render::{Paper, Rendered};
pub use report::{ReportParts, write_parts, write_report};
pub use roc::roc;
pub use shots::{ShotsFigure, ShotsPlot, ShotsPoint, shots};
pub use summary::{Axes, SummaryRow, summary};
pub use training_curve::training_curve;
pub use wide::{BEST_ON_TEST_NOTE, wide};
pub use words::Limit;
