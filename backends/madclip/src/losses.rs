//! Names of the losses, in the order in which a step reports them.

use harness_method::Options;

/// Detection, then the terms of the segmentation loss where there are masks.
pub(crate) fn names(_options: &Options, has_masks: bool) -> &'static [&'static str] {
    if has_masks { &["detection", "focal", "dice"] } else { &["detection"] }
}
