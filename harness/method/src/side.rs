//! The two classes of text and of images.

harness_config::named_enum! {
    /// A class, named as in tensor names and streams.
    pub enum Side {
        /// Healthy.
        Normal = "normal",
        /// Diseased.
        Abnormal = "abnormal",
    }
}

impl Side {
    /// Both sides, in the order every tensor uses.
    pub const BOTH: [Self; 2] = Self::ALL;
}
