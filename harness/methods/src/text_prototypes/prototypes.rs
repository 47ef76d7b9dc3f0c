//! Class means with a share of their texts.

use harness_method::Side;

use crate::error::Error;
use crate::features::{Projection, along, unit};
use crate::scores::{Scores, TEMPERATURE};
use crate::taps::Taps;

/// The sum of the projected class tokens of the normal and of the abnormal supports, `[2, embed]`.
///
/// # Errors
/// A class without supports.
pub fn sums(projection: &Projection, supports: [&Taps<'_>; 2]) -> Result<Vec<f32>, Error> {
    let embed = projection.embed();
    let mut sums = vec![0.0; 2 * embed];
    for ((taps, side), sums) in supports.into_iter().zip(Side::BOTH).zip(sums.chunks_exact_mut(embed)) {
        if taps.images() == 0 {
            let what = if side == Side::Normal { "normal image" } else { "abnormal image" };
            return Err(Error::Missing { what, method: "text-prototypes", advice: "use at least one of each class" });
        }
        for feature in projection.project(&taps.class_tokens(taps.last()?)).chunks_exact(embed) {
            sums.iter_mut().zip(feature).for_each(|(sum, value)| *sum += value);
        }
    }
    Ok(sums)
}

/// The prototypes of the normal and the abnormal class, unit vectors `[2, embed]`: `text_weight` times the class's text
/// and [`TEMPERATURE`] times the sum of its supports. `texts` are those of the normal and the abnormal class.
///
/// # Errors
/// Texts of another width than the sums'.
pub fn prototypes(sums: &[f32], texts: [&[f32]; 2], text_weight: f32) -> Result<Vec<f32>, Error> {
    let embed = sums.len() / 2;
    let mut prototypes = Vec::with_capacity(2 * embed);
    for (text, sums) in texts.into_iter().zip(sums.chunks_exact(embed.max(1))) {
        if text.len() != embed {
            return Err(Error::Length { what: "a text", found: text.len(), expected: embed });
        }
        prototypes.extend(text.iter().zip(sums).map(|(text, sum)| text_weight * text + TEMPERATURE * sum));
    }
    unit(&mut prototypes, embed.max(1));
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
    Ok(Scores { detection, ..Scores::default() })
}
