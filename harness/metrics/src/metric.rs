//! The metrics by name: the list that tables, stored files and statistics follow from.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A metric of docs/method.md section 8, in the order in which tables list them. All lie between 0 and 1, more is
/// better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Area under the receiver operating characteristic over images.
    ImageAuroc,
    /// Average precision over images, the step sum.
    ImageAp,
    /// Largest F1 over all thresholds on image scores.
    ImageF1Max,
    /// Area under the receiver operating characteristic over all pixels of all images.
    PixelAuroc,
    /// Average precision over all pixels of all images, the step sum.
    PixelAp,
    /// Largest F1 over all thresholds on pixels.
    PixelF1Max,
    /// Per-region overlap up to a false-positive rate of 0.3, divided by 0.3.
    Pro03,
}

impl Metric {
    /// All metrics, image metrics first.
    pub const ALL: [Self; 7] = [
        Self::ImageAuroc,
        Self::ImageAp,
        Self::ImageF1Max,
        Self::PixelAuroc,
        Self::PixelAp,
        Self::PixelF1Max,
        Self::Pro03,
    ];

    /// The name in results and tables, as in docs/method.md.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImageAuroc => "image_auroc",
            Self::ImageAp => "image_ap",
            Self::ImageF1Max => "image_f1_max",
            Self::PixelAuroc => "pixel_auroc",
            Self::PixelAp => "pixel_ap",
            Self::PixelF1Max => "pixel_f1_max",
            Self::Pro03 => "pro_0_3",
        }
    }

    /// Whether the metric needs masks.
    pub const fn needs_masks(self) -> bool {
        matches!(self, Self::PixelAuroc | Self::PixelAp | Self::PixelF1Max | Self::Pro03)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|metric| metric.name() == name)
            .ok_or_else(|| Error::UnknownMetric { name: name.into(), known: Self::ALL.map(Self::name).join(", ") })
    }
}
