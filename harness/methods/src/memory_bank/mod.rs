//! `memory-bank`: how far a token lies from the tokens of the support set. Nothing is trained.

mod bank;

use harness_method::declaring::*;
use harness_method::parameters::{Initial, Parameter};
use harness_method::{Layout, Link, Part, Side, Variants};

pub use self::bank::{Bank, Tokens, fit, score};
use crate::closed::{Closed, Desk, Prepared, SupportSet};
use crate::declared::method_options;
use crate::error::Error;
use crate::features::Projection;
use crate::nearest::Nearest;
use crate::scores::Scores;
use crate::settings::{Encoding, Sees, Sentences, Settings, Support};
pub use crate::taps::FromTaps;
use crate::taps::{Taps, lesion_shares};

named_enum! {
    /// Where a memory bank's options start.
    #[derive(Default)]
    pub enum Preset {
        /// APRIL-GAN's bank: the tokens of each tap as they are.
        #[default]
        AprilGanBank = "april-gan-bank",
        /// AnomalyDINO: the last tap, after the tower's final norm.
        AnomalyDino = "anomalydino",
        /// PatchCore: the two middle taps, pooled, as one bank.
        PatchCore = "patchcore",
    }
}

named_enum! {
    /// Tokens as the bank compares them.
    pub enum Features {
        /// As the tap has them.
        Raw = "raw",
        /// After the tower's final norm, whatever tap they are of.
        LnPost = "ln_post",
    }
}

named_enum! {
    /// How taps come together.
    pub enum Join {
        /// A bank for each tap; distances are added.
        Sum = "sum",
        /// One bank of tokens whose channels are those of all taps.
        Concat = "concat",
    }
}

named_enum! {
    /// Whose tokens are kept.
    pub enum Banks {
        /// Those of normal supports.
        Normal = "normal",
        /// Those of normal supports, and those of abnormal supports that lie in lesions: the second distance is taken
        /// off the first.
        Both = "both",
    }
}

method_options! {
    /// Which of `taps` the bank is made of
    from_taps: FromTaps {
        released: FromTaps::All,
        in Preset::AnomalyDino: FromTaps::Last,
        in Preset::PatchCore: FromTaps::Middle,
    }
    /// Tokens as the bank compares them: as the tap has them, or after the tower's final norm
    features: Features {
        released: Features::Raw,
        in Preset::AnomalyDino: Features::LnPost,
    }
    /// 3 takes the mean over a token's 3 x 3 neighbourhood, with zeros outside
    pool: usize {
        released: 1,
        in Preset::PatchCore: 3,
        values: "1 or 3",
        check: |options, _| (options.pool != 1 && options.pool != 3).then(|| {
            format!("`pool` is {}; choose 1 for single tokens, or 3 for the mean over their neighbourhood", options.pool)
        }),
    }
    /// A bank for each tap, or one of tokens with the channels of all taps
    join: Join {
        released: Join::Sum,
        in Preset::PatchCore: Join::Concat,
    }
    /// Whether tokens in lesions of abnormal supports have a bank of their own, whose distance is taken off
    banks: Banks {
        released: Banks::Normal,
    }
    /// Variants of a support image that the bank is made of: the image as it is, eleven, or sixteen of which one
    /// depends on the seed
    variants: Variants {
        released: Variants::None,
    }
}

/// Support images that are encoded at once, their variants included: what a bank of many takes beside itself.
const AT_ONCE: usize = 16;

impl Options {
    fn grids(&self) -> usize {
        if self.join == Join::Concat { 1 } else { self.from_taps.used(self.taps.len()).len() }
    }
}

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "memory bank";
    const VERSION: u32 = 1;
    const TRAINED: bool = false;

    fn encoding(&self) -> Encoding<'_> {
        self.encoded()
    }

    fn sees(&self) -> Sees {
        if self.banks == Banks::Both { Sees::Both } else { Sees::Normal }
    }

    fn sentences(&self) -> Sentences {
        Sentences::default()
    }

    fn depends_on_seed(&self) -> bool {
        self.variants.seeded() > 0
    }

    fn variants(&self) -> Variants {
        self.variants
    }

    fn maps(&self, _: bool) -> Option<Layout> {
        Some(Part { link: Link::Identity, grids: self.grids() }.into())
    }

    fn losses(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    /// The support images themselves, 0 to 255, and the lesion shares of abnormal ones' variants: smaller than a bank,
    /// and as good.
    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        let side = self.image_size;
        let parameter =
            |name: &str, shape: Vec<usize>| Parameter { name: name.to_owned(), shape, initial: Initial::Constant(0.0) };
        let mut tensors = vec![parameter(NORMAL, vec![support.normal, 3, side, side])];
        if self.banks == Banks::Both {
            tensors.push(parameter(ABNORMAL, vec![support.abnormal, 3, side, side]));
            if support.has_masks {
                let grid = support.arch.grid(side);
                tensors.push(parameter(LESIONS, vec![self.variants.count() * support.abnormal, grid * grid]));
            }
        }
        tensors
    }

    fn score_work(&self, arch: &Arch, support_images: u64) -> f64 {
        let tokens = arch.grid(self.image_size).pow(2) as f64;
        let used = self.from_taps.used(self.taps.len()).len() as f64;
        let bank = tokens * support_images as f64 * self.variants.count() as f64;
        2.0 * tokens * bank * used * arch.width as f64
    }
}

const NORMAL: &str = "support.normal";
const ABNORMAL: &str = "support.abnormal";
const LESIONS: &str = "support.lesions";

impl Closed for Options {
    fn fit(&self, support: &SupportSet<'_>, desk: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error> {
        let pixels = |images: &[u8]| images.iter().map(|&value| f32::from(value)).collect::<Vec<f32>>();
        let mut state = vec![pixels(support.normal)];
        if self.banks == Banks::Both {
            state.push(pixels(support.abnormal));
            if let Some(masks) = support.masks {
                state.push(lesion_shares(masks, self.image_size, desk.arch().patch)?);
            }
        }
        // A support set that a bank can't be made of is refused now, not when its first image is scored.
        let tensors: Vec<&[f32]> = state.iter().map(Vec::as_slice).collect();
        self.bank(&tensors, desk)?;
        Ok(state)
    }

    fn prepare(&self, state: &[&[f32]], _: &str, desk: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error> {
        let (bank, projection) = self.bank(state, desk)?;
        Ok(Box::new(Ready { options: self.clone(), bank, projection }))
    }
}

impl Options {
    /// The bank of a state.
    fn bank(&self, state: &[&[f32]], desk: &mut dyn Desk) -> Result<(Bank, Option<Projection>), Error> {
        let projection = (self.features == Features::LnPost).then(|| desk.projection()).transpose()?;
        let mut bank = Bank::default();
        let mut add = |class: Side, images: &[f32], lesions: Option<&[f32]>| -> Result<(), Error> {
            let (grid, width) = (desk.arch().grid(self.image_size), desk.arch().width);
            let image = 3 * self.image_size * self.image_size;
            let (count, each) = (images.len() / image, self.variants.count());
            let some = AT_ONCE.div_ceil(each);
            for (number, images) in images.chunks(some * image).enumerate() {
                let pixels: Vec<u8> = images.iter().map(|&value| value as u8).collect();
                let taps = desk.encode_variants(&pixels, class, self.variants)?;
                let (from, images) = (number * some, images.len() / image);
                let taps = Taps::new(taps.iter().map(Vec::as_slice).collect(), each * images, grid, width)?;
                if class == Side::Normal {
                    bank.append(self, projection.as_ref(), &taps)?;
                    continue;
                }
                // Those of the whole class are variant by variant.
                let of = |shares: &[f32]| -> Vec<f32> {
                    let rows = (0..each).map(|variant| (variant * count + from) * grid * grid);
                    rows.filter_map(|at| shares.get(at..at + images * grid * grid)).flatten().copied().collect()
                };
                let lesions = lesions.map(of);
                bank.append_abnormal(self, projection.as_ref(), &taps, lesions.as_deref())?;
            }
            Ok(())
        };
        let part = |at: usize| state.get(at).copied();
        add(Side::Normal, part(0).unwrap_or_default(), None)?;
        if self.banks == Banks::Both {
            add(Side::Abnormal, part(1).unwrap_or_default(), part(2))?;
        }
        bank.check(self)?;
        Ok((bank, projection))
    }
}

struct Ready {
    options: Options,
    bank: Bank,
    projection: Option<Projection>,
}

impl Prepared for Ready {
    fn score(&mut self, taps: &Taps<'_>, device: &mut dyn Nearest) -> Result<Scores, Error> {
        score(&self.options, self.projection.as_ref(), &self.bank, taps, device)
    }
}
