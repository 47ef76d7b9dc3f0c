//! The regressions of a probe: patch tokens tap by tap, and class tokens.

use rayon::prelude::*;

use super::logistic::{Logistic, logistic};
use super::{ImageFeature, ImageTaps, Options};
use crate::error::Error;
use crate::features::channel_norm;
use crate::scores::{Scores, interleaved};
use crate::taps::Taps;

/// The regressions of a tap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probe {
    /// Of images, where this tap has one.
    pub image: Option<Logistic>,
    /// Of patch tokens, where there are masks.
    pub token: Option<Logistic>,
}

/// Fits the regressions of each tap to supports with labels (1 is abnormal) and, where there are masks, the lesion
/// share of each patch `[images, patches]`.
///
/// # Errors
/// Supports of one class; masks without a lesion; features that are not finite.
pub fn fit(options: &Options, taps: &Taps<'_>, labels: &[f32], lesions: Option<&[f32]>) -> Result<Vec<Probe>, Error> {
    let of_tap = |(number, tap): (usize, &[f32])| {
        let normed = channel_norm(tap, taps.width());
        let mut probe = Probe::default();
        if options.image_taps == ImageTaps::All || number + 1 == taps.count() {
            let (features, width) = image_features(options.image_feature, taps, &normed);
            probe.image = Some(logistic(&features, labels, width, options.strength.0)?);
        }
        if let Some(lesions) = lesions {
            let tokens = taps.patch_tokens(&normed);
            probe.token = Some(logistic(&tokens, lesions, taps.width(), options.strength.0)?);
        }
        Ok(probe)
    };
    let each: Vec<(usize, &[f32])> = taps.each().enumerate().collect();
    // Of several errors the first tap's is told, whichever thread was first.
    let probes: Vec<Result<Probe, Error>> = each.into_par_iter().map(of_tap).collect();
    probes.into_iter().collect()
}

/// The logits of some images: a grid a tap where there were masks, and the sum of the image logits.
///
/// # Errors
/// Another number of taps than the probes'.
pub fn score(options: &Options, probes: &[Probe], taps: &Taps<'_>) -> Result<Scores, Error> {
    if probes.len() != taps.count() {
        return Err(Error::Length { what: "probes", found: probes.len(), expected: taps.count() });
    }
    let (mut grids, mut detection) = (Vec::new(), vec![0.0; taps.images()]);
    for (probe, tap) in probes.iter().zip(taps.each()) {
        let normed = channel_norm(tap, taps.width());
        if let Some(image) = &probe.image {
            let (features, _) = image_features(options.image_feature, taps, &normed);
            detection.iter_mut().zip(image.logits(&features)).for_each(|(sum, logit)| *sum += logit);
        }
        if let Some(token) = &probe.token {
            grids.push(token.logits(&taps.patch_tokens(&normed)));
        }
    }
    Ok(Scores { grids: interleaved(&grids, taps.images()), detection, ..Scores::default() })
}

/// What stands for each image, and its width.
fn image_features(feature: ImageFeature, taps: &Taps<'_>, normed: &[f32]) -> (Vec<f32>, usize) {
    let (class, width) = (taps.class_tokens(normed), taps.width());
    if feature == ImageFeature::Class {
        return (class, width);
    }
    let patches = taps.patch_tokens(normed);
    let mut features = Vec::with_capacity(2 * class.len());
    for (class, patches) in class.chunks_exact(width).zip(patches.chunks_exact(taps.patches() * width)) {
        features.extend_from_slice(class);
        let mean = |channel: usize| {
            let sum: f64 = patches.iter().skip(channel).step_by(width).map(|&value| f64::from(value)).sum();
            (sum / taps.patches() as f64) as f32
        };
        features.extend((0..width).map(mean));
    }
    (features, 2 * width)
}
