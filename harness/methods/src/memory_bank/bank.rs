//! The distance of a token to the nearest token of a bank, and of both classes' banks their difference.

use super::{Banks, Features, Join, Options};
use crate::error::Error;
use crate::features::{Projection, pooled, unit};
use crate::nearest::Nearest;
use crate::scores::{Scores, interleaved, mean_of_largest};
use crate::taps::Taps;

/// A token lies in a lesion where at least this share of its pixels does.
const IN_LESION: f32 = 0.5;

/// Unit tokens `[m, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// The values.
    pub values: Vec<f32>,
    /// Values of a token.
    pub width: usize,
}

/// What a support set leaves: for each tap, or one for all under `concat`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bank {
    /// Tokens of normal supports.
    pub normal: Vec<Tokens>,
    /// Tokens in lesions of abnormal supports; empty under `normal`.
    pub abnormal: Vec<Tokens>,
}

impl Bank {
    /// Adds the tokens of some normal supports.
    ///
    /// # Errors
    /// Taps that don't fit the options or each other.
    pub fn append(
        &mut self,
        options: &Options,
        projection: Option<&Projection>,
        normal: &Taps<'_>,
    ) -> Result<(), Error> {
        extend(&mut self.normal, tokens(options, projection, normal)?)
    }

    /// Adds the tokens of some abnormal supports that lie in lesions, of which `lesions` is the lesion share of each
    /// patch, `[images, patches]`; without masks all of them.
    ///
    /// # Errors
    /// Taps that don't fit the options or each other.
    pub fn append_abnormal(
        &mut self,
        options: &Options,
        projection: Option<&Projection>,
        abnormal: &Taps<'_>,
        lesions: Option<&[f32]>,
    ) -> Result<(), Error> {
        let mut tokens = tokens(options, projection, abnormal)?;
        if let Some(shares) = lesions {
            for Tokens { values, width } in &mut tokens {
                let kept = values.chunks_exact(*width).zip(shares).filter(|(_, share)| **share >= IN_LESION);
                *values = kept.flat_map(|(token, _)| token).copied().collect();
            }
        }
        extend(&mut self.abnormal, tokens)
    }

    /// Refuses a bank that lacks tokens of a class which the options compare with.
    ///
    /// # Errors
    /// No normal support; under `both` no abnormal one, or no token in a lesion.
    pub fn check(&self, options: &Options) -> Result<(), Error> {
        let missing = |what, advice| Error::Missing { what, method: "memory-bank", advice };
        if self.normal.is_empty() {
            return Err(missing("normal image", "use at least one"));
        }
        if options.banks == Banks::Normal {
            return Ok(());
        }
        if self.abnormal.is_empty() {
            return Err(missing("abnormal image", "use at least one, or `banks = \"normal\"`"));
        }
        if self.abnormal.iter().any(|tokens| tokens.values.is_empty()) {
            let advice = "its lesions are smaller than half a patch everywhere: use larger images, other supports, or \
                          `banks = \"normal\"`";
            return Err(missing("token in a lesion", advice));
        }
        Ok(())
    }
}

/// Adds tokens to those of each tap.
fn extend(all: &mut Vec<Tokens>, more: Vec<Tokens>) -> Result<(), Error> {
    if all.is_empty() {
        *all = more;
        return Ok(());
    }
    if all.len() != more.len() {
        return Err(Error::Length { what: "banks", found: more.len(), expected: all.len() });
    }
    all.iter_mut().zip(more).for_each(|(all, more)| all.values.extend(more.values));
    Ok(())
}

/// Keeps the tokens of a support set. Of abnormal supports, `lesions` is the lesion share of each patch,
/// `[images, patches]`; without masks every token of theirs counts.
///
/// # Errors
/// No normal support; under `both` no abnormal one, or no token in a lesion.
pub fn fit(
    options: &Options,
    projection: Option<&Projection>,
    normal: &Taps<'_>,
    abnormal: Option<(&Taps<'_>, Option<&[f32]>)>,
) -> Result<Bank, Error> {
    let mut bank = Bank::default();
    if normal.images() > 0 {
        bank.append(options, projection, normal)?;
    }
    if let Some((taps, lesions)) = abnormal.filter(|(taps, _)| options.banks == Banks::Both && taps.images() > 0) {
        bank.append_abnormal(options, projection, taps, lesions)?;
    }
    bank.check(options)?;
    Ok(bank)
}

/// The distances of the tokens of some images: one grid a tap, or one under `concat`; their sum over taps makes the
/// image score.
///
/// # Errors
/// Those of `device`, and taps that don't fit the bank.
pub fn score(
    options: &Options,
    projection: Option<&Projection>,
    bank: &Bank,
    taps: &Taps<'_>,
    device: &mut dyn Nearest,
) -> Result<Scores, Error> {
    let queries = tokens(options, projection, taps)?;
    if queries.len() != bank.normal.len() {
        return Err(Error::Length { what: "banks", found: bank.normal.len(), expected: queries.len() });
    }
    let mut distances = Vec::with_capacity(queries.len());
    for (number, queries) in queries.iter().enumerate() {
        let mut device_distances = |bank: &Tokens| {
            if bank.width != queries.width {
                return Err(Error::Length { what: "a bank's tokens", found: bank.width, expected: queries.width });
            }
            Ok(device.nearest(&queries.values, &bank.values, queries.width)?)
        };
        let mut distance = device_distances(&bank.normal[number])?;
        if let Some(abnormal) = bank.abnormal.get(number) {
            let other = device_distances(abnormal)?;
            distance.iter_mut().zip(other).for_each(|(distance, other)| *distance -= other);
        }
        distances.push(distance);
    }
    let patches = taps.patches();
    let detection = (0..taps.images()).map(|image| {
        let mut sums = vec![0.0; patches];
        for distance in &distances {
            sums.iter_mut().zip(&distance[image * patches..][..patches]).for_each(|(sum, value)| *sum += value);
        }
        mean_of_largest(&sums)
    });
    Ok(Scores { detection: detection.collect(), grids: interleaved(&distances, taps.images()), ..Scores::default() })
}

/// The patch tokens of some images as the bank compares them: for each tap, or one for all under `concat`.
fn tokens(options: &Options, projection: Option<&Projection>, taps: &Taps<'_>) -> Result<Vec<Tokens>, Error> {
    let used = options.from_taps.used(taps.count());
    let mut each = Vec::with_capacity(used.len());
    for tap in taps.each().skip(used.start).take(used.len()) {
        let mut values = taps.patch_tokens(tap);
        if options.features == Features::LnPost {
            let projection =
                projection.ok_or(Error::Length { what: "visual.ln_post", found: 0, expected: taps.width() })?;
            values = projection.norm(&values);
        }
        if options.pool > 1 {
            values = pooled(&values, taps.grid(), taps.width());
        }
        each.push(values);
    }
    let mut width = taps.width();
    if options.join == Join::Concat {
        let (tokens, each_count) = (taps.images() * taps.patches(), each.len());
        let joined = (0..tokens).flat_map(|token| each.iter().flat_map(move |tap| &tap[token * width..][..width]));
        each = vec![joined.copied().collect()];
        width *= each_count;
    }
    Ok(each
        .into_iter()
        .map(|mut values| {
            unit(&mut values, width);
            Tokens { values, width }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::nearest::Processor;

    /// One image whose four patches point along these axes of three.
    fn image(axes: [usize; 4]) -> Vec<f32> {
        let mut tap = vec![9.0; 3];
        axes.iter().for_each(|axis| tap.extend((0..3).map(|at| if at == *axis { 2.0 } else { 0.0 })));
        tap
    }

    #[test]
    fn a_token_like_none_of_the_bank_is_far_and_lesions_pull_the_other_way() {
        let (normal, abnormal, test) = (image([0, 0, 1, 1]), image([0, 2, 0, 0]), image([0, 1, 2, 2]));
        let taps = |values| Taps::new(vec![values], 1, 2, 3).unwrap();
        let options = &Options::default();
        let bank = fit(options, None, &taps(&normal), None).unwrap();
        let scores = score(options, None, &bank, &taps(&test), &mut Processor).unwrap();
        assert_eq!((scores.grids, scores.detection), (vec![0.0, 0.0, 1.0, 1.0], vec![1.0]));

        let both = &Options { banks: Banks::Both, ..options.clone() };
        let shares = [0.0, 0.5, 0.0, 0.4];
        let bank = fit(both, None, &taps(&normal), Some((&taps(&abnormal), Some(&shares)))).unwrap();
        assert_eq!(bank.abnormal[0].values, [0.0, 0.0, 1.0]);
        let scores = score(both, None, &bank, &taps(&test), &mut Processor).unwrap();
        assert_eq!(scores.grids, [-1.0, -1.0, 1.0, 1.0]);
        let none = fit(both, None, &taps(&normal), Some((&taps(&abnormal), Some(&[0.4; 4])))).unwrap_err();
        assert!(none.to_string().contains("no token in a lesion"), "{none}");
        assert!(fit(both, None, &taps(&normal), None).is_err());
    }
}
