//! What can go wrong with a metric, as values.

/// An error of a metric. Every one of them means that there is no number to report, never a number to be replaced by 0.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to compute a metric of.
    #[error("no {what} to compute a metric of")]
    Empty {
        /// What is missing: images, maps, values.
        what: &'static str,
    },

    /// Two lists that belong together differ in length.
    #[error("{found} {what} where {expected} are needed: {why}")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
        /// What fixes the expected number.
        why: &'static str,
    },

    /// Image scores or pixels are all of one class.
    #[error("{normal} normal and {abnormal} abnormal {what}: a metric needs both classes; check the labels or masks")]
    OneClass {
        /// Images or pixels.
        what: &'static str,
        /// How many are normal.
        normal: u64,
        /// How many are abnormal.
        abnormal: u64,
    },

    /// An image score is NaN or infinite.
    #[error("the score of image {image} is {score}, not a finite number; the training that made it has diverged")]
    Score {
        /// Index of the image, from 0 in test order.
        image: usize,
        /// The score.
        score: f64,
    },

    /// A map holds a NaN or an infinite value.
    #[error(
        "the map of image {image} is {value} at pixel {pixel}, not a finite number; \
         the training that made it has diverged"
    )]
    Pixel {
        /// Index of the image, from 0 in test order.
        image: usize,
        /// Index of the first such pixel, row-major.
        pixel: usize,
        /// Its value.
        value: f32,
    },

    /// A value of a statistic is NaN or infinite.
    #[error("value {index} of {count} is {value}, not a finite number: no mean")]
    Value {
        /// Index of the value, from 0.
        index: usize,
        /// How many values there are.
        count: usize,
        /// The value.
        value: f64,
    },

    /// A probability that is none.
    #[error("{what} is {value}, but must be between 0 and 1")]
    Probability {
        /// Which probability.
        what: &'static str,
        /// What was given.
        value: f64,
    },

    /// Too few to say anything about their variation.
    #[error("{found} {what} where at least {needed} are needed: their variation can't be known")]
    TooFew {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },

    /// Values that can't be compared one by one.
    #[error("can't pair values of different {what}")]
    Unpaired {
        /// What differs.
        what: &'static str,
    },

    /// Stored histograms that don't fit together.
    #[error("the histograms of pixel scores are damaged: {what}")]
    Histograms {
        /// What is wrong.
        what: &'static str,
    },

    /// A size that can't be.
    #[error("{what} is {found}, but must be between 1 and {largest}")]
    Size {
        /// Which size.
        what: &'static str,
        /// What was given.
        found: usize,
        /// The largest possible.
        largest: usize,
    },

    /// An unknown name.
    #[error("`{name}` is not a metric; the metrics are {known}")]
    UnknownMetric {
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },

    /// A map can't be read; for sources of maps outside this crate.
    #[error("can't read the map of image {image}: {source}")]
    Read {
        /// Index of the image, from 0 in test order.
        image: usize,
        /// What the source says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
