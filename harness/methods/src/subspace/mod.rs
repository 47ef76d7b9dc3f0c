//! `subspace`: what of a token lies outside the principal components of the normal supports' tokens (SubspaceAD, arXiv
//! 2602.23013). Nothing is trained.

mod pca;
mod turns;

use harness_method::declaring::*;
use harness_method::parameters::{Initial, Parameter};
use harness_method::{Layout, Link, Part};

pub use self::pca::Subspace;
pub use self::turns::turned;
use crate::closed::{Closed, Desk, Prepared, SupportSet};
use crate::declared::method_options;
use crate::error::Error;
use crate::nearest::Nearest;
use crate::scores::{Scores, mean_of_largest};
use crate::settings::{Encoding, Sees, Sentences, Settings, Support};
pub use crate::taps::FromTaps;
use crate::taps::Taps;
use crate::work;

named_enum! {
    /// Where the options start.
    #[derive(Default)]
    pub enum Preset {
        /// The mean of all taps, supports as they are.
        #[default]
        Plain = "plain",
        /// SubspaceAD, as nearly as taps and right angles come to it: the mean of the two middle taps, supports turned.
        SubspaceAd = "subspacead",
    }
}

named_enum! {
    /// What is learned from beside a normal support as it is.
    pub enum Variants {
        /// Nothing.
        None = "none",
        /// The image turned by 90, 180 and 270 degrees.
        RightAngles = "right-angles",
    }
}

method_options! {
    /// Which of `taps` are averaged, token by token
    from_taps: FromTaps {
        released: FromTaps::All,
        in Preset::SubspaceAd: FromTaps::Middle,
    }
    /// Share of the variance of normal tokens that the kept components hold
    explained_variance: Real {
        released: Real(0.99),
        values: "number above 0, at most 1",
        check: |options, _| {
            let share = options.explained_variance;
            (!(share.0 > 0.0 && share.0 <= 1.0)).then(|| {
                format!("`explained_variance` is {share}; choose a share above 0 and at most 1, such as 0.99")
            })
        },
    }
    /// What is learned from beside a normal support as it is: nothing, or the image turned by right angles
    variants: Variants {
        released: Variants::None,
        in Preset::SubspaceAd: Variants::RightAngles,
    }
}

/// Floating-point operations of an eigendecomposition, over the third power of its size.
const DECOMPOSITION: f64 = 10.0;

const MEAN: &str = "subspace.mean";
const COMPONENTS: &str = "subspace.components";

impl Options {
    /// Images that are encoded for a support.
    fn images(&self) -> usize {
        if self.variants == Variants::RightAngles { 4 } else { 1 }
    }

    /// Tokens that are learned from.
    fn tokens(&self, arch: &Arch, supports: usize) -> usize {
        supports * self.images() * arch.grid(self.image_size).pow(2)
    }
}

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "SubspaceAD";
    const VERSION: u32 = 1;
    const TRAINED: bool = false;

    fn encoding(&self) -> Encoding<'_> {
        self.encoded()
    }

    fn sees(&self) -> Sees {
        Sees::Normal
    }

    fn sentences(&self) -> Sentences {
        Sentences::default()
    }

    fn depends_on_seed(&self) -> bool {
        false
    }

    fn maps(&self, _: bool) -> Option<Layout> {
        Some(Part { link: Link::Identity, grids: 1 }.into())
    }

    fn losses(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    /// As many rows of components as there can be, since only the support set tells how many are kept. The rest are
    /// zeros.
    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        let width = support.arch.width;
        let rows = self.tokens(support.arch, support.normal).min(width);
        let parameter =
            |name: &str, shape: Vec<usize>| Parameter { name: name.to_owned(), shape, initial: Initial::Constant(0.0) };
        vec![parameter(MEAN, vec![width]), parameter(COMPONENTS, vec![rows, width])]
    }

    fn fit_work(&self, arch: &Arch, images: u64) -> f64 {
        let (tokens, width) = (self.tokens(arch, images as usize) as f64, arch.width as f64);
        let turned = (self.images() - 1) as f64 * images as f64;
        turned * work::encoding(self.encoding(), arch)
            + tokens * width * width.min(tokens)
            + DECOMPOSITION * width.min(tokens).powi(3)
    }

    fn score_work(&self, arch: &Arch, _: u64) -> f64 {
        // As if every channel were a component: how many are kept is not known before.
        let tokens = arch.grid(self.image_size).pow(2);
        (4 * tokens * arch.width * arch.width) as f64
    }
}

impl Closed for Options {
    fn fit(&self, support: &SupportSet<'_>, desk: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error> {
        let pixels = match self.variants {
            Variants::None => support.normal.to_vec(),
            Variants::RightAngles => turned(support.normal, self.image_size),
        };
        let images = pixels.len() / (3 * self.image_size * self.image_size);
        let values = if images > 0 { desk.encode(&pixels)? } else { vec![Vec::new(); self.taps.len()] };
        let (grid, width) = (desk.arch().grid(self.image_size), desk.arch().width);
        let taps = Taps::new(values.iter().map(Vec::as_slice).collect(), images, grid, width)?;
        let Subspace { mean, mut components } = fit(self, &taps)?;
        components.resize(taps.images().saturating_mul(taps.patches()).min(width) * width, 0.0);
        Ok(vec![mean, components])
    }

    fn prepare(&self, state: &[&[f32]], _: &str, _: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error> {
        let tensor = |at: usize| state.get(at).copied().unwrap_or_default();
        let (mean, rows) = (tensor(0).to_vec(), tensor(1));
        if mean.is_empty() || !rows.len().is_multiple_of(mean.len()) {
            let expected = rows.len().next_multiple_of(mean.len().max(1));
            return Err(Error::Length { what: COMPONENTS, found: rows.len(), expected });
        }
        let kept = rows.chunks_exact(mean.len()).take_while(|row| row.iter().any(|value| *value != 0.0)).count();
        let components = rows[..kept * mean.len()].to_vec();
        Ok(Box::new(Ready { options: self.clone(), subspace: Subspace { mean, components } }))
    }
}

struct Ready {
    options: Options,
    subspace: Subspace,
}

impl Prepared for Ready {
    fn score(&mut self, taps: &Taps<'_>, _: &mut dyn Nearest) -> Result<Scores, Error> {
        score(&self.options, &self.subspace, taps)
    }
}

/// The subspace of normal supports, with their variants where there are any.
///
/// # Errors
/// Those of [`Subspace::fit`].
pub fn fit(options: &Options, normal: &Taps<'_>) -> Result<Subspace, Error> {
    Subspace::fit(&mean_tokens(options, normal), normal.width(), options.explained_variance.0)
}

/// One grid of squared residuals an image; the image score is the mean of the floor(L / 100) largest, at least one.
///
/// # Errors
/// Taps of another width than the subspace's.
pub fn score(options: &Options, subspace: &Subspace, taps: &Taps<'_>) -> Result<Scores, Error> {
    if subspace.mean.len() != taps.width() {
        return Err(Error::Length { what: MEAN, found: subspace.mean.len(), expected: taps.width() });
    }
    let grids = subspace.residuals(&mean_tokens(options, taps))?;
    let detection = grids.chunks_exact(taps.patches().max(1)).map(mean_of_largest).collect();
    Ok(Scores { grids, detection, ..Scores::default() })
}

/// The patch tokens `[images, patches, width]`, averaged over the taps that are used.
fn mean_tokens(options: &Options, taps: &Taps<'_>) -> Vec<f32> {
    let used = options.from_taps.used(taps.count());
    let each: Vec<Vec<f32>> = taps.each().skip(used.start).take(used.len()).map(|tap| taps.patch_tokens(tap)).collect();
    let length = taps.images() * taps.patches() * taps.width();
    let sum = |at: usize| each.iter().map(|tap| f64::from(tap[at])).sum::<f64>();
    (0..length).map(|at| (sum(at) / each.len() as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// One image of 2 x 2 patches of three channels; its class token is far from all.
    fn tap(patches: [[f32; 3]; 4]) -> Vec<f32> {
        [[99.0; 3]].iter().chain(&patches).flatten().copied().collect()
    }

    #[test]
    fn taps_are_averaged_and_the_class_token_is_no_patch() {
        let first = tap([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [8.0, 0.0, 0.0], [12.0, 0.0, 0.0]]);
        let last = tap([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [2.0, 2.0, 0.0]]);
        let both = Taps::new(vec![&first, &last], 1, 2, 3).unwrap();
        let all = Options::default();
        let subspace = fit(&all, &both).unwrap();
        assert_eq!((subspace.mean.as_slice(), subspace.components.len()), (&[4.0, 1.0, 0.0][..], 3));
        let test = tap([[1.0, 1.0, 0.0], [1.0, 1.0, 2.0], [5.0, 3.0, 0.0], [0.0, 0.0, 1.0]]);
        let test = Taps::new(vec![&test, &test], 1, 2, 3).unwrap();
        let scores = score(&all, &subspace, &test).unwrap();
        let near = |found: &[f32], expected: &[f32]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&scores.grids, &[0.0, 4.0, 4.0, 2.0]), "{scores:?}");
        assert!(near(&scores.detection, &[4.0]), "{scores:?}");

        let last = Options { from_taps: FromTaps::Last, ..all };
        let subspace = fit(&last, &both).unwrap();
        assert_eq!((subspace.mean.as_slice(), subspace.components.len()), (&[2.0, 2.0, 0.0][..], 0));
        assert!(near(&score(&last, &subspace, &test).unwrap().grids, &[2.0, 6.0, 10.0, 9.0]));
    }

    #[test]
    fn a_state_is_as_large_as_it_can_get_and_one_of_unknown_supports_fits_any() {
        let arch = Arch {
            image_size: 48,
            patch: 8,
            width: 64,
            layers: 4,
            heads: 2,
            embed: 48,
            vocab: 10,
            context: 10,
            text_width: 32,
            text_layers: 2,
            text_heads: 2,
        };
        let rows = |normal: usize, variants: Variants| {
            let options = Options { image_size: 48, variants, ..Options::default() };
            let support = Support { arch: &arch, normal, abnormal: normal, has_masks: true };
            options.tensors(support).pop().unwrap().shape[0]
        };
        assert_eq!([0, 1, 2].map(|normal| rows(normal, Variants::None)), [0, 36, 64]);
        assert_eq!(rows(1, Variants::RightAngles), 64);
    }
}
