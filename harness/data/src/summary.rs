//! Counts of a dataset for a list of datasets, from folder listings alone.

use crate::dataset::Dataset;
use crate::error::Result;
use crate::layout::Split;
use crate::support_list::{self, ListFile};

/// How many images a dataset has, and which support lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Normal images supports may come from.
    pub valid_normal: usize,
    /// Abnormal images supports may come from.
    pub valid_abnormal: usize,
    /// Normal test images.
    pub test_normal: usize,
    /// Abnormal test images.
    pub test_abnormal: usize,
    /// Problems that listing found; `verify` says which.
    pub problems: usize,
    /// List files; empty where supports are drawn.
    pub lists: Vec<ListFile>,
}

impl Summary {
    /// Lists the folders and counts. No image is opened.
    ///
    /// # Errors
    /// A folder or table that can't be read at all.
    pub fn of(dataset: &Dataset) -> Result<Self> {
        let valid = dataset.listing(Split::Valid)?;
        let test = dataset.listing(Split::Test)?;
        let mut lists = Vec::new();
        for (_, pattern) in dataset.all_lists() {
            lists.extend(support_list::existing(dataset.folder(), pattern)?);
        }
        Ok(Self {
            valid_normal: valid.normal.len(),
            valid_abnormal: valid.abnormal.len(),
            test_normal: test.normal.len(),
            test_abnormal: test.abnormal.len(),
            problems: [&valid, &test].map(|listing| listing.problems.len() + listing.missing.len()).iter().sum(),
            lists,
        })
    }
}
