//! All that a report is made of.

use harness_experiment::Printing;
use harness_tables::{BackendRow, ControlRow, DeLongRow, DifferenceRow, IntervalRow, MethodRow, ResultRow};

use crate::figure_data::{CostFigure, CurveFigure, MethodPanelFigure, PanelFigure, RankFigure, RocFigure};
use crate::ranks::PairRow;

/// A dataset as tables need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportDataset {
    /// Name in the registry.
    pub name: String,
    /// Abnormal images have masks.
    pub masks: bool,
    /// Name in tables of published results, where it is in some.
    pub published: Option<String>,
}

/// All a report is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportInput {
    /// Name of the experiment.
    pub experiment: String,
    /// A smoke test: report and figures say that they are no result.
    pub smoke: bool,
    /// Versions, hashes and the like: a name and what it is, in the order to print.
    pub provenance: Vec<(String, String)>,
    /// What a reader should know of the data, a sentence each.
    pub data_notes: Vec<String>,
    /// Names of the variants, in the order to print.
    pub variants: Vec<String>,
    /// What variants are called in print, where that is not their name: each with its label.
    pub labels: Vec<(String, String)>,
    /// Names of the backends, in the order to print.
    pub backend_names: Vec<String>,
    /// How the report is printed.
    pub printing: Printing,
    /// The method of each of them.
    pub variant_methods: Vec<String>,
    /// What each of them is: preset, and the options by which it differs.
    pub variant_options: Vec<String>,
    /// Rows of the results table.
    pub results: Vec<ResultRow>,
    /// ROC figures. One with more than six curves becomes several.
    pub roc: Vec<RocFigure>,
    /// Figures of losses. One with more than six trainings becomes several.
    pub curves: Vec<CurveFigure>,
    /// Figures of images.
    pub panels: Vec<PanelFigure>,
    /// Panels are missing whose images can't be read; those that were drawn before are kept.
    pub panels_missing: bool,
    /// Figures of the same images under several methods. One with more than six variants becomes several.
    pub method_panels: Vec<MethodPanelFigure>,
    /// Figures of cost against quality.
    pub costs: Vec<CostFigure>,
    /// Name of the variant that the others are compared with; empty where there is nothing to compare.
    pub base: String,
    /// Means with their intervals.
    pub intervals: Vec<IntervalRow>,
    /// Variants minus the base, and minus the best where that is another: `base` names which.
    pub differences: Vec<DifferenceRow>,
    /// What `best-on-test` adds over `last` on the same trainings: `base` is "last", `selection` "best-on-test".
    pub optimism: Vec<DifferenceRow>,
    /// Each variant minus each earlier one, in the mean over datasets or on the only one, where variants have several
    /// methods; p values are adjusted over all pairs.
    pub pairs: Vec<PairRow>,
    /// Figures of mean ranks.
    pub ranks: Vec<RankFigure>,
    /// Remarks on intervals and tests, a paragraph each.
    pub notes: Vec<String>,
    /// DeLong's test of each pair of trainings.
    pub delong: Vec<DeLongRow>,
    /// Backends side by side, the reference first; empty for a single one.
    pub backends: Vec<BackendRow>,
    /// Methods side by side, a row a variant and K; empty for a single method.
    pub of_methods: Vec<MethodRow>,
    /// Levels of controls of several directions.
    pub controls: Vec<ControlRow>,
    /// The datasets, in the order to print.
    pub datasets: Vec<ReportDataset>,
    /// Variants that are a published method in every setting, each with the method's published name.
    pub methods: Vec<(String, String)>,
}
