//! `zero-shot`: how much more a token is like the text of the abnormal class than like that of the normal one. Nothing
//! is learned, so one record stands for every support set. Its control has a random direction in place of the texts.
//! WinCLIP looks at windows of patches too, and may compare them with those of normal supports.

mod direction;
mod similarity;
mod windows;

use harness_method::declaring::*;
use harness_method::parameters::{Initial, Parameter};
use harness_method::prompts::States;
use harness_method::{Layout, Link, Part};

pub use self::direction::random_direction;
pub use self::similarity::score;
pub use self::windows::{Reference, score as score_windows};
use crate::closed::{Closed, Desk, Prepared, SupportSet};
use crate::declared::method_options;
use crate::error::Error;
use crate::features::Projection;
use crate::nearest::Nearest;
use crate::scores::Scores;
use crate::settings::{Encoding, Sees, Sentences, Settings, Support};
use crate::taps::Taps;
use crate::work;

named_enum! {
    /// Where the options start.
    #[derive(Default)]
    pub enum Preset {
        /// CLIP's similarity of patches.
        #[default]
        Patch = "patch",
        /// The control: no text, a random direction for each seed.
        RandomDirection = "random-direction",
        /// WinCLIP: windows of patches, each encoded alone.
        WinClip = "winclip",
        /// WinCLIP that compares windows and patches with those of normal supports too.
        WinClipFewShot = "winclip-few-shot",
    }
}

named_enum! {
    /// What tokens are compared with.
    pub enum Direction {
        /// The abnormal text less the normal one.
        Text = "text",
        /// A random vector.
        Random = "random",
    }
}

named_enum! {
    /// What a map is made of.
    pub enum Map {
        /// Patch tokens of the last tap.
        Patch = "patch",
        /// Class tokens of windows that are encoded alone.
        Windows = "windows",
    }
}

method_options! {
    /// What tokens are compared with: the abnormal text less the normal one, or a random vector that the seed decides
    direction: Direction {
        released: Direction::Text,
        in Preset::RandomDirection: Direction::Random,
    }
    /// The abnormal class's phrases in fixed sentences: MadCLIP's seven, or the five that MVFA and APRIL-GAN have
    states: States {
        released: States::Mvfa,
        effective: |options| options.direction == Direction::Text,
    }
    /// What a map is made of: the last tap's patch tokens, or WinCLIP's windows, which take twelve times an image's
    /// encoding
    map: Map {
        released: Map::Patch,
        in Preset::WinClip: Map::Windows,
        in Preset::WinClipFewShot: Map::Windows,
        check: |options, arch| (options.map == Map::Windows && options.taps.last() != Some(&arch.layers)).then(|| {
            format!(
                "`map` \"windows\" compares what comes out of the encoder with texts; end `taps` with its last block, {}",
                arch.layers
            )
        }),
    }
    /// Sides of the windows, in patches
    windows: Vec<usize> {
        released: vec![2, 3],
        values: "ascending list of whole numbers from 1",
        effective: |options| options.map == Map::Windows,
        check: |options, arch| check_windows(&options.windows, arch.grid(options.image_size)),
    }
    /// Whether `map = "windows"` compares with normal supports too, and learns from them
    few_shot: bool {
        released: false,
        in Preset::WinClipFewShot: true,
        check: |options, _| (options.few_shot && options.map != Map::Windows).then(|| {
            "`few_shot` is for `map = \"windows\"`; set that, or leave `few_shot` out".to_owned()
        }),
    }
}

/// Sides that there are in a grid, ascending.
fn check_windows(sides: &[usize], grid: usize) -> Option<String> {
    if sides.is_empty() {
        return Some("`windows` is empty; give at least one side, or `map = \"patch\"`".to_owned());
    }
    if let Some(side) = sides.iter().find(|side| !(1..=grid).contains(*side)) {
        return Some(format!("`windows` has {side}, but an image is {grid} patches a side; choose from 1 to {grid}"));
    }
    (!sides.is_sorted_by(|a, b| a < b)).then(|| "`windows` does not ascend; sort it, each side once".to_owned())
}

const DIRECTION: &str = "direction";
const NORMAL: &str = "support.normal";

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "CLIP, zero-shot";
    const VERSION: u32 = 1;
    const TRAINED: bool = false;

    fn encoding(&self) -> Encoding<'_> {
        Encoding { windows: self.sides(), ..self.encoded() }
    }

    fn sees(&self) -> Sees {
        if self.compares() { Sees::Normal } else { Sees::Nothing }
    }

    fn sentences(&self) -> Sentences {
        if self.direction == Direction::Text { Sentences::FIXED } else { Sentences::default() }
    }

    fn depends_on_seed(&self) -> bool {
        self.direction == Direction::Random
    }

    fn maps(&self, _: bool) -> Option<Layout> {
        let link = if self.map == Map::Windows { Link::Identity } else { Link::Sigmoid };
        Some(Part { link, grids: 1 }.into())
    }

    fn losses(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        let parameter =
            |name: &str, shape: Vec<usize>| Parameter { name: name.to_owned(), shape, initial: Initial::Constant(0.0) };
        let mut tensors = Vec::new();
        if self.direction == Direction::Random {
            tensors.push(parameter(DIRECTION, vec![support.arch.embed]));
        }
        if self.compares() {
            tensors.push(parameter(NORMAL, vec![support.normal, 3, self.image_size, self.image_size]));
        }
        tensors
    }

    fn score_work(&self, arch: &Arch, support_images: u64) -> f64 {
        let tokens = (2 * arch.tokens(self.image_size) * arch.width * arch.embed) as f64;
        if !self.compares() {
            return tokens;
        }
        let squares = |count: usize, width: usize| 2.0 * (count as f64).powi(2) * width as f64;
        let windows =
            self.sides().iter().map(|&side| squares(work::window_count(arch, self.image_size, side), arch.embed));
        let near = squares(arch.grid(self.image_size).pow(2), arch.width) + windows.sum::<f64>();
        tokens + near * support_images as f64
    }
}

impl Closed for Options {
    fn fit(&self, support: &SupportSet<'_>, desk: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error> {
        let mut state = match self.direction {
            Direction::Text => Vec::new(),
            Direction::Random => vec![random_direction(desk.seed(), desk.arch().embed)],
        };
        if self.compares() {
            // A support set that can't be compared with is refused now, not when the first image is scored.
            self.reference(support.normal, desk)?;
            state.push(support.normal.iter().map(|&value| f32::from(value)).collect());
        }
        Ok(state)
    }

    fn prepare(&self, state: &[&[f32]], object: &str, desk: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error> {
        let difference = match self.direction {
            Direction::Text => {
                let [normal, abnormal] = desk.texts(self.states, object)?;
                abnormal.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect()
            }
            Direction::Random => state.first().copied().unwrap_or_default().to_vec(),
        };
        let reference = if self.compares() {
            let normal: Vec<u8> = state.last().copied().unwrap_or_default().iter().map(|&value| value as u8).collect();
            Some(self.reference(&normal, desk)?)
        } else {
            None
        };
        let sides = (self.map == Map::Windows).then(|| self.windows.clone());
        Ok(Box::new(Ready { projection: desk.projection()?, difference, sides, reference }))
    }
}

impl Options {
    /// Sides of the windows that are encoded.
    fn sides(&self) -> &[usize] {
        if self.map == Map::Windows { &self.windows } else { &[] }
    }

    /// Whether it compares with normal supports.
    fn compares(&self) -> bool {
        self.map == Map::Windows && self.few_shot
    }

    /// What normal supports `[n, 3, S, S]` leave to compare with.
    fn reference(&self, normal: &[u8], desk: &mut dyn Desk) -> Result<Reference, Error> {
        let images = normal.len() / (3 * self.image_size * self.image_size).max(1);
        let (taps, windows) =
            if images > 0 { (desk.encode(normal)?, desk.windows(normal)?) } else { (Vec::new(), Vec::new()) };
        let arch = desk.arch();
        let windows = self.windows.iter().copied().zip(windows.iter().map(Vec::as_slice)).collect();
        let taps = Taps::new(taps.iter().map(Vec::as_slice).collect(), images, arch.grid(self.image_size), arch.width)?;
        Reference::new(&self.windows, &taps.with_windows(windows, arch.embed)?)
    }
}

struct Ready {
    projection: Projection,
    difference: Vec<f32>,
    /// Of windows, where they are looked at.
    sides: Option<Vec<usize>>,
    reference: Option<Reference>,
}

impl Prepared for Ready {
    fn score(&mut self, taps: &Taps<'_>, device: &mut dyn Nearest) -> Result<Scores, Error> {
        let Self { projection, difference, sides, reference } = self;
        match sides {
            Some(sides) => score_windows(projection, difference, sides, reference.as_ref(), taps, device),
            None => score(projection, difference, taps),
        }
    }
}
