//! The two numbers of the field's tables, AC and AS, and the orders and names that tables share.

use harness_method::{ImageScore, Selection};
use harness_metrics::Metric;
use harness_results::ReportDataset;

/// A column of the field's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Measure {
    /// Image AUROC.
    Ac,
    /// Pixel AUROC.
    As,
}

impl Measure {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Ac, Self::As];

    /// The measure that a metric is.
    pub(crate) fn of(metric: Metric) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.metric() == metric)
    }

    /// The measures of a dataset.
    pub(crate) fn of_dataset(dataset: &ReportDataset) -> impl Iterator<Item = Self> {
        let masks = dataset.masks;
        Self::ALL.into_iter().filter(move |measure| masks || !measure.metric().needs_masks())
    }

    /// The column's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ac => "AC",
            Self::As => "AS",
        }
    }

    /// The metric.
    pub(crate) fn metric(self) -> Metric {
        match self {
            Self::Ac => Metric::ImageAuroc,
            Self::As => Metric::PixelAuroc,
        }
    }

    /// The metric in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Ac => "Image AUROC",
            Self::As => "Pixel AUROC",
        }
    }

    /// The metric in words, within a sentence.
    pub(crate) fn words_within(self) -> &'static str {
        match self {
            Self::Ac => "image AUROC",
            Self::As => "pixel AUROC",
        }
    }
}

/// A metric as papers print it.
pub(crate) fn metric_words(metric: Metric) -> &'static str {
    match metric {
        Metric::ImageAuroc => "image AUROC",
        Metric::ImageAp => "image AP",
        Metric::ImageF1Max => "image F1-max",
        Metric::PixelAuroc => "pixel AUROC",
        Metric::PixelAp => "pixel AP",
        Metric::PixelF1Max => "pixel F1-max",
        Metric::Pro03 => "PRO@0.3",
    }
}

/// The image scores by which a number of a metric can be asked for. A pixel metric without one depends on no image
/// score, as under `last`, so it stands for each.
pub(crate) fn asked_by(metric: Metric, image_score: Option<ImageScore>) -> Vec<Option<ImageScore>> {
    let mut scores = vec![image_score];
    if image_score.is_none() && metric.needs_masks() {
        scores.extend(ImageScore::ALL.map(Some));
    }
    scores
}

/// The paper's image score: the map's maximum where there are masks, else that of the detection heads.
pub(crate) fn paper_score(masks: bool) -> ImageScore {
    if masks { ImageScore::MapMax } else { ImageScore::Detection }
}

/// An image score as tables print it; empty for none.
pub(crate) fn score_name(score: Option<ImageScore>) -> &'static str {
    score.map_or("", ImageScore::name)
}

/// The rank of a name in the order to print. Names that are not listed follow, by name.
pub(crate) fn rank<'a>(names: &[String], name: &'a str) -> (usize, &'a str) {
    (names.iter().position(|known| known == name).unwrap_or(names.len()), name)
}

/// The rank of a rule: tables begin with those that look at no test label.
pub(crate) fn rule(selection: Selection) -> u8 {
    match selection {
        Selection::Last => 0,
        Selection::BestOnSupport => 1,
        Selection::BestOnTest => 2,
    }
}

/// A dataset, and the source where that is another, in words. An empty name is the mean over datasets: of all, or of
/// those that have the image score.
pub(crate) fn dataset_words(
    datasets: &[ReportDataset],
    dataset: &str,
    source: &str,
    score: Option<ImageScore>,
) -> String {
    let all_have = score == Some(paper_score(false)) || datasets.iter().all(|dataset| dataset.masks);
    match (dataset, source) {
        ("", _) if !all_have => "mean of datasets with masks".to_owned(),
        ("", _) => "mean of datasets".to_owned(),
        (dataset, source) if dataset != source => format!("{dataset}, trained on {source}"),
        (dataset, _) => dataset.to_owned(),
    }
}
