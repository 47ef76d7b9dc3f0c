//! How a report is printed: `[report]` in an experiment file. It decides no result and is part of no id.

use serde::{Deserialize, Serialize};

harness_config::named_enum! {
    /// A line of a printed page.
    pub enum Line {
        /// A column of two, 85 mm.
        Column = "column",
        /// The whole page: 175 mm for figures, 120 mm for tables, which fit every usual page.
        Page = "page",
    }
}

harness_config::named_enum! {
    /// How tables for people write fractions.
    #[derive(Default)]
    pub enum Numbers {
        /// As they are: 0.934.
        #[default]
        Fraction = "fraction",
        /// In percent: 93.4.
        Percent = "percent",
    }
}

harness_config::named_enum! {
    /// A kind of figure.
    pub enum FigureKind {
        /// AUROC over K.
        Shots = "shots",
        /// Differences from the base.
        Ablation = "ablation",
        /// Mean ranks of methods.
        Ranks = "ranks",
        /// AUROC over seconds.
        Cost = "cost",
        /// Numbers of each source on each target.
        CrossDataset = "cross-dataset",
        /// Speeds.
        Backends = "backends",
        /// ROC curves.
        Roc = "roc",
        /// Losses over epochs.
        Curve = "curve",
        /// Test images with their maps.
        Panel = "panel",
    }
}

/// How a report is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Printing {
    /// The kinds of figures that are drawn, in no order; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Vec<FigureKind>>,
    /// What figures are as wide as.
    pub figure_width: Line,
    /// What tables are no wider than.
    pub table_width: Line,
    /// How tables for people write fractions.
    pub numbers: Numbers,
    /// Columns that tables for people leave out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hide: Vec<String>,
}

impl Default for Printing {
    fn default() -> Self {
        Self {
            figures: None,
            figure_width: Line::Column,
            table_width: Line::Page,
            numbers: Numbers::default(),
            hide: Vec::new(),
        }
    }
}

impl Printing {
    /// Whether figures of a kind are drawn.
    pub fn draws(&self, kind: FigureKind) -> bool {
        self.figures.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
