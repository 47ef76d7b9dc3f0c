//! WinCLIP: harmonic means, token by token, of what an image's windows say of it, and of how far they lie from the
//! windows of normal supports.

use crate::error::Error;
use crate::features::{Projection, along, unit};
use crate::nearest::Nearest;
use crate::scores::{Scores, TEMPERATURE};
use crate::taps::Taps;

/// What normal supports leave to compare with.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Patch tokens of the last tap, unit `[m, width]`.
    tokens: Vec<f32>,
    /// Their windows, by side.
    windows: Vec<(usize, Vec<f32>)>,
}

impl Reference {
    /// Of the taps of normal supports, with their windows of these sides.
    ///
    /// # Errors
    /// No support, or one whose windows were not encoded.
    pub fn new(sides: &[usize], normal: &Taps<'_>) -> Result<Self, Error> {
        if normal.images() == 0 {
            let advice = "use at least one, or `few_shot = false`";
            return Err(Error::Missing { what: "normal image", method: "zero-shot", advice });
        }
        let of = |&side: &usize| Ok((side, normal.windows(side)?.to_vec()));
        Ok(Self { tokens: tokens(normal)?, windows: sides.iter().map(of).collect::<Result<_, Error>>()? })
    }
}

/// One grid an image and its score, both in 0 to 1: the harmonic mean, over the image and its windows of each side, of
/// the probability that the text of the abnormal class fits better. `difference` is that text less the normal one,
/// `[embed]`. With a reference, the mean of that and of the distances to normal supports.
///
/// # Errors
/// A text of another width than the projection's, windows that were not encoded, those of `device`.
pub fn score(
    projection: &Projection,
    difference: &[f32],
    sides: &[usize],
    reference: Option<&Reference>,
    taps: &Taps<'_>,
    device: &mut dyn Nearest,
) -> Result<Scores, Error> {
    let embed = projection.embed();
    if difference.len() != embed {
        return Err(Error::Length { what: "a text", found: difference.len(), expected: embed });
    }
    let (grid, patches) = (taps.grid(), taps.patches());
    let whole = probabilities(&projection.project(&taps.class_tokens(taps.last()?)), difference);
    // The sum over scales of 1 / p, then their harmonic mean.
    let mut values: Vec<f64> = whole.iter().flat_map(|p| std::iter::repeat_n(1.0 / p, patches)).collect();
    for &side in sides {
        let means = harmonic(&probabilities(taps.windows(side)?, difference), grid, side);
        values.iter_mut().zip(means).for_each(|(sum, mean)| *sum += 1.0 / mean);
    }
    let scales = 1.0 + sides.len() as f64;
    values.iter_mut().for_each(|sum| *sum = scales / *sum);
    let mut detection = whole;
    if let Some(reference) = reference {
        let mut near = distances(&tokens(taps)?, &reference.tokens, taps.width(), device)?;
        for (side, bank) in &reference.windows {
            let apart = harmonic(&distances(taps.windows(*side)?, bank, embed, device)?, grid, *side);
            near.iter_mut().zip(apart).for_each(|(sum, mean)| *sum += mean);
        }
        near.iter_mut().for_each(|sum| *sum /= scales);
        for (score, near) in detection.iter_mut().zip(near.chunks_exact(patches)) {
            *score = f64::midpoint(*score, near.iter().copied().fold(0.0, f64::max));
        }
        values.iter_mut().zip(near).for_each(|(value, near)| *value = f64::midpoint(*value, near));
    }
    let rounded = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    Ok(Scores { grids: rounded(values), detection: rounded(detection), ..Scores::default() })
}

/// Patch tokens of the last tap, at length 1.
fn tokens(taps: &Taps<'_>) -> Result<Vec<f32>, Error> {
    let mut tokens = taps.patch_tokens(taps.last()?);
    unit(&mut tokens, taps.width());
    Ok(tokens)
}

/// The probability of the abnormal text for each view `[n, embed]`.
fn probabilities(views: &[f32], difference: &[f32]) -> Vec<f64> {
    let probability = |product: f32| 1.0 / (1.0 + (-f64::from(TEMPERATURE) * f64::from(product)).exp());
    along(views, difference).into_iter().map(probability).collect()
}

/// Half of 1 - the largest cosine of each query. What rounding leaves below 0 is 0: a harmonic mean knows no sign.
fn distances(queries: &[f32], bank: &[f32], width: usize, device: &mut dyn Nearest) -> Result<Vec<f64>, Error> {
    let found = device.nearest(queries, bank, width)?;
    Ok(found.into_iter().map(|distance| (f64::from(distance) / 2.0).max(0.0)).collect())
}

/// Of a score of each window `[images, (grid - side + 1)^2]`, for each token the harmonic mean over the windows that
/// hold it, `[images, grid, grid]`.
fn harmonic(scores: &[f64], grid: usize, side: usize) -> Vec<f64> {
    let starts = (grid + 1).saturating_sub(side);
    let mut means = Vec::with_capacity(scores.len() / (starts * starts).max(1) * grid * grid);
    for scores in scores.chunks_exact((starts * starts).max(1)) {
        // Windows hold a token where they begin at most `side - 1` before it.
        let holding = |at: usize| (at + 1).saturating_sub(side)..(at + 1).min(starts);
        for (row, column) in (0..grid).flat_map(|row| (0..grid).map(move |column| (row, column))) {
            let (tops, lefts) = (holding(row), holding(column));
            let count = (tops.len() * lefts.len()) as f64;
            let inverse = |top: usize| -> f64 { lefts.clone().map(|left| 1.0 / scores[top * starts + left]).sum() };
            means.push(count / tops.map(inverse).sum::<f64>());
        }
    }
    means
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::nearest::Processor;

    #[test]
    fn a_token_has_the_harmonic_mean_of_the_windows_that_hold_it() {
        // Four windows of 2 x 2 in a grid of 3 x 3: a corner is in one, an edge in two, the middle in all.
        let means = harmonic(&[0.1, 0.2, 0.4, 0.8], 3, 2);
        let expected = [0.1, 2.0 / 15.0, 0.2, 0.16, 4.0 / 18.75, 0.32, 0.4, 2.0 / 3.75, 0.8];
        assert!(means.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{means:?}");
        assert_eq!(harmonic(&[0.0, 1.0, 1.0, 1.0], 3, 2)[4], 0.0, "one window that is certain decides");
        assert_eq!(harmonic(&[0.3; 4], 2, 1), [0.3; 4]);
    }

    #[test]
    fn a_support_is_at_no_distance_from_itself_and_half_of_its_score_is_left() {
        let projection = Projection::new(vec![1.0; 2], vec![0.0; 2], vec![1.0, 0.0, 0.0, 1.0]).unwrap();
        let tap = [3.0, 1.0, 1.0, 2.0, 5.0, 1.0, -1.0, 4.0, 2.0, 2.5];
        let views = [0.6_f32, 0.8];
        let taps = Taps::new(vec![&tap], 1, 2, 2).unwrap().with_windows(vec![(2, &views)], 2).unwrap();
        let of = |reference: Option<&Reference>| {
            score(&projection, &[0.01, 0.02], &[2], reference, &taps, &mut Processor).unwrap()
        };
        let (alone, reference) = (of(None), Reference::new(&[2], &taps).unwrap());
        let itself = of(Some(&reference));
        let half = |found: &[f32], whole: &[f32]| found.iter().zip(whole).all(|(a, b)| (a - b / 2.0).abs() < 1e-6);
        assert!(half(&itself.grids, &alone.grids) && half(&itself.detection, &alone.detection), "{itself:?} {alone:?}");
        assert!(Reference::new(&[3], &taps).is_err());
        assert!(Taps::new(vec![&tap], 1, 2, 2).unwrap().with_windows(vec![(1, &views)], 2).is_err());
    }
}
