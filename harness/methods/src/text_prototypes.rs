//! `text-prototypes`: the mean of a class's images with a share of its text, without training (SS-Text, arXiv 2506.17500). Image
//! scores alone.

use harness_method::Side;

use crate::error::Error;
use crate::features::{Projection, along, unit};
use crate::scores::{Scores, TEMPERATURE};
use crate::taps::Taps;

/// The prototypes of the normal and the abnormal class, unit vectors `[2, embed]`: `text_weight` times the class's text and
/// [`TEMPERATURE`] times the sum of its supports' class tokens. `texts` are those of the normal and the abnormal class.
///
/// # Errors
/// A class without supports; texts of another width than the projection's.
pub fn fit(
    projection: &Projection,
    texts: [&[f32]; 2],
    text_weight: f32,
    supports: [&Taps<'_>; 2],
) -> Result<Vec<f32>, Error> {
    let embed = projection.embed();
    let mut prototypes = Vec::with_capacity(2 * embed);
    for ((text, taps), side) in texts.into_iter().zip(supports).zip(Side::BOTH) {
        if text.len() != embed {
            return Err(Error::Length { what: "a text", found: text.len(), expected: embed });
        }
        if taps.images() == 0 {
            let what = if side == Side::Normal { "normal image" } else { "abnormal image" };
            return Err(Error::Missing { what, method: "text-prototypes", advice: "use at least one of each class" });
        }
        let features = projection.project(&taps.class_tokens(taps.last()?));
        let mut sum = vec![0.0; embed];
        for feature in features.chunks_exact(embed) {
            sum.iter_mut().zip(feature).for_each(|(sum, value)| *sum += value);
        }
        prototypes.extend(text.iter().zip(sum).map(|(text, sum)| text_weight * text + TEMPERATURE * sum));
    }
    unit(&mut prototypes, embed);
    Ok(prototypes)
}

/// How much nearer the class tokens of some images lie to the abnormal prototype than to the normal one.
///
/// # Errors
/// Prototypes of another width than the projection's.
pub fn score(projection: &Projection, prototypes: &[f32], taps: &Taps<'_>) -> Result<Scores, Error> {
    let embed = projection.embed();
    if prototypes.len() != 2 * embed {
        return Err(Error::Length { what: "the prototypes", found: prototypes.len(), expected: 2 * embed });
    }
    let (normal, abnormal) = prototypes.split_at(embed);
    let difference: Vec<f32> = abnormal.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect();
    let mut detection = along(&projection.project(&taps.class_tokens(taps.last()?)), &difference);
    detection.iter_mut().for_each(|score| *score *= TEMPERATURE);
    Ok(Scores { grids: Vec::new(), detection })
}
