//! What is reported of a trained model: which image scores, and of which epoch (docs/method.md section 8).

harness_config::named_enum! {
    /// How an image's score is made.
    pub enum ImageScore {
        /// The largest value of the anomaly map; the paper's for datasets with masks.
        MapMax = "map-max",
        /// The detection heads' score; the paper's for datasets without masks.
        Detection = "detection",
    }
}

impl ImageScore {
    /// Whether it is made from an anomaly map, which only segmentation heads trained with masks can give.
    pub const fn needs_maps(self) -> bool {
        match self {
            Self::MapMax => true,
            Self::Detection => false,
        }
    }
}

harness_config::named_enum! {
    /// How the epoch that is reported is chosen.
    #[derive(Default)]
    pub enum Selection {
        /// The last epoch.
        #[default]
        Last = "last",
        /// The epoch that is best on the test set, as the authors do: optimistic by construction.
        BestOnTest = "best-on-test",
        /// The epoch that is best by cross-validation inside the support set.
        BestOnSupport = "best-on-support",
    }
}
