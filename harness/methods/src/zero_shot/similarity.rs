//! Logits of tokens between the texts of both classes.

use crate::error::Error;
use crate::features::{Projection, along};
use crate::scores::{Scores, TEMPERATURE};
use crate::taps::Taps;

/// Logits of the last tap's tokens: one grid of patches, and the class token's as the image score. `difference` is the
/// abnormal text less the normal one, `[embed]`.
///
/// # Errors
/// Texts of another width than the projection's.
pub fn score(projection: &Projection, difference: &[f32], taps: &Taps<'_>) -> Result<Scores, Error> {
    if difference.len() != projection.embed() {
        return Err(Error::Length { what: "a text", found: difference.len(), expected: projection.embed() });
    }
    let tap = taps.last()?;
    let logits = |tokens: &[f32]| {
        let mut logits = along(&projection.project(tokens), difference);
        logits.iter_mut().for_each(|logit| *logit *= TEMPERATURE);
        logits
    };
    Ok(Scores {
        grids: logits(&taps.patch_tokens(tap)),
        detection: logits(&taps.class_tokens(tap)),
        ..Scores::default()
    })
}
