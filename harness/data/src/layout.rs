//! How a dataset's files are arranged, and the two parts it has.

harness_config::named_enum! {
    /// How a dataset's files are arranged.
    pub enum Layout {
        /// `{valid,test}/{good,Ungood}/img`, `{valid,test}/Ungood/anomaly_mask` (docs/method.md section 6).
        Mvfa = "mvfa",
        /// `train/good`, `test/good`, `test/<defect>`, `ground_truth/<defect>/<stem>_mask.png`.
        Mvtec = "mvtec",
        /// A table with columns image, label, mask, split, patient.
        Csv = "csv",
        /// Generated, no files.
        Phantom = "phantom",
    }
}

impl Layout {
    /// Whether abnormal supports come from the test folder: list files must name them, and they are left out of the
    /// test set.
    pub(crate) fn supports_are_held_out(self) -> bool {
        self == Self::Mvtec
    }
}

harness_config::named_enum! {
    /// A part of a dataset.
    pub enum Split {
        /// Images to take supports from.
        Valid = "valid",
        /// Images to score.
        Test = "test",
    }
}
