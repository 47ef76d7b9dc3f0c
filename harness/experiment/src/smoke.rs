//! An experiment made small: the same structure with an untrained encoder of a few neurons, two epochs of large
//! batches, the smallest and the largest support sets, and at most two draws and seeds, so that any experiment file can
//! be run to the end in a minute or two.

use std::collections::{BTreeMap, BTreeSet};

use harness_config::{Spanned, start};
use harness_method::{Arch, Draw, Precision, Preset, Shots};
use harness_methods::MethodOverrides;

use crate::rules::RuleSpec;
use crate::spec::{ArchSpec, Spec, Typed};

/// Most epochs, and most elements of `draws` and of `seeds`.
const FEW: usize = 2;
/// Fewest images a step.
const BATCH: u32 = 64;
/// Side of a patch, and how far apart sizes of images are. Small enough that some patches lie in generated lesions,
/// which a bank of both classes needs.
const PATCH: usize = 4;
/// The smallest size of images: eight patches a side.
const SMALLEST: usize = 32;

/// Side of the generated images that suit [`Spec::smoke`].
pub const SMOKE_SIDE: usize = SMALLEST;

impl Spec {
    /// The same experiment, small: axes, variants, rules and options stay, but weights are synthetic and tiny with as
    /// many blocks as any variant's taps need, different image sizes become different small ones, epochs are at most
    /// two, batches large, draws and seeds at most two, draws that have names are numbers, of `shots` the smallest and
    /// the largest K and the smallest and the largest pair stay, and backends that aren't installed are left out. Its
    /// numbers mean nothing.
    ///
    /// Plan it against a catalogue that generates datasets under the same names, with at least [`Spec::most_shots`]
    /// images of a class.
    #[must_use]
    pub fn smoke(&self) -> Self {
        let mut spec = self.clone();
        let typed = &mut spec.typed;
        typed.top.smoke = Some(Spanned::new(0..0, true));
        typed.reduced = true;
        shorten(&mut typed.top.draws);
        shorten(&mut typed.top.seeds);
        keep_ends(&mut typed.top.shots);
        keep_known(typed);
        numbered(typed);
        let epochs = typed.train.epochs.as_ref();
        let (span, epochs) = epochs.map_or((0..0, FEW as u32), |e| (e.span(), (*e.get_ref()).min(FEW as u32)));
        typed.train.epochs = Some(Spanned::new(span, epochs));
        // A step's text costs more than its small images do: few large ones.
        let batch = typed.train.batch.as_ref();
        let (span, batch) = batch.map_or((0..0, BATCH), |batch| (batch.span(), (*batch.get_ref()).max(BATCH)));
        typed.train.batch = Some(Spanned::new(span, batch));
        encoder(typed);
        let note = "made small: generated data, an untrained encoder, two epochs, the smallest and the largest K, at most two \
                    draws and seeds";
        spec.notes.push(note.to_owned());
        spec
    }

    /// The most images of a class that are typed; 0 where there is none that can be read.
    pub fn most_shots(&self) -> u32 {
        let shots = self.typed.top.shots.iter().flat_map(|shots| shots.get_ref());
        shots.map(|shots| shots.get_ref().normal.max(shots.get_ref().abnormal)).max().unwrap_or(0)
    }
}

fn shorten<T>(list: &mut Option<Spanned<Vec<Spanned<T>>>>) {
    if let Some(list) = list {
        list.get_mut().truncate(FEW);
    }
}

/// Keeps the smallest and the largest K, and of the pairs the smallest and the largest.
fn keep_ends(list: &mut Option<Spanned<Vec<Spanned<Shots>>>>) {
    let Some(list) = list else { return };
    let mut ends = BTreeSet::new();
    for balanced in [true, false] {
        let of_kind = || list.get_ref().iter().map(|shots| *shots.get_ref()).filter(|s| s.k().is_some() == balanced);
        let size = |shots: &Shots| (shots.images(), *shots);
        ends.extend(of_kind().min_by_key(size).into_iter().chain(of_kind().max_by_key(size)));
    }
    list.get_mut().retain(|shots| ends.contains(shots.get_ref()));
}

/// Removes from rules the values that were cut off, and rules that named nothing else.
fn keep_known(typed: &mut Typed) {
    let still = {
        let (draws, seeds, shots) = (known(&typed.top.draws), known(&typed.top.seeds), known(&typed.top.shots));
        move |rule: &mut RuleSpec| {
            holds(&mut rule.draws, &draws) & holds(&mut rule.seeds, &seeds) & holds(&mut rule.shots, &shots)
        }
    };
    typed.include.retain_mut(&still);
    typed.exclude.retain_mut(&still);
}

/// The values of a list.
fn known<T: Copy + Ord>(list: &Option<Spanned<Vec<Spanned<T>>>>) -> BTreeSet<T> {
    list.iter().flat_map(|list| list.get_ref()).map(|item| *item.get_ref()).collect()
}

/// Keeps what is known of a rule's list. False where nothing of it is left.
fn holds<T: Ord>(list: &mut Option<Spanned<Vec<Spanned<T>>>>, known: &BTreeSet<T>) -> bool {
    let Some(list) = list else { return true };
    list.get_mut().retain(|item| known.contains(item.get_ref()));
    !list.get_ref().is_empty()
}

/// Replaces draws that have names by numbers that no other has: generated datasets have no lists.
fn numbered(typed: &mut Typed) {
    let draws = typed.top.draws.iter().flat_map(|list| list.get_ref()).map(|draw| *draw.get_ref());
    let (numbers, names): (BTreeSet<Draw>, BTreeSet<Draw>) = draws.partition(|draw| draw.name().is_none());
    let free = (0..).map(Draw::Number).filter(|draw| !numbers.contains(draw));
    let instead: BTreeMap<Draw, Draw> = names.into_iter().zip(free).collect();
    let rules = typed.include.iter_mut().chain(&mut typed.exclude).filter_map(|rule| rule.draws.as_mut());
    for draw in typed.top.draws.iter_mut().chain(rules).flat_map(|list| list.get_mut()) {
        if let Some(number) = instead.get(draw.get_ref()) {
            *draw.get_mut() = *number;
        }
    }
}

/// Replaces the encoder and every size of image.
fn encoder(typed: &mut Typed) {
    let variants = typed.variants.iter().map(|(_, variant)| variant.overrides.encoding());
    let set: Vec<_> =
        [typed.encoder.overrides.clone(), typed.base.overrides.encoding()].into_iter().chain(variants).collect();
    let released = Preset::Released.options();
    let taps = set.iter().filter_map(|overrides| overrides.taps.as_ref()).flat_map(|taps| taps.get_ref());
    let preset = if typed.encoder.overrides.taps.is_some() { 1 } else { released.taps.into_iter().max().unwrap_or(1) };
    let layers = taps.copied().max().unwrap_or(1).max(preset);
    let typed_sizes = set.iter().filter_map(|overrides| overrides.image_size.as_ref()).map(|size| *size.get_ref());
    let sizes: BTreeSet<usize> = typed_sizes.chain([released.image_size]).collect();
    let small = |size: usize| SMALLEST + PATCH * sizes.iter().position(|other| *other == size).unwrap_or(0);
    let arch = Arch {
        image_size: SMALLEST,
        patch: PATCH,
        width: 32,
        layers,
        heads: 2,
        embed: 16,
        vocab: harness_method::tokenizer::VOCABULARY,
        context: 77,
        text_width: 16,
        text_layers: 1,
        text_heads: 1,
    };

    let sizes_of = |overrides: &mut MethodOverrides| {
        if let Some(size) = overrides.image_size_mut() {
            *size.get_mut() = small(*size.get_ref());
        }
    };
    sizes_of(&mut typed.base.overrides);
    typed.variants.iter_mut().for_each(|(_, variant)| sizes_of(&mut variant.overrides));
    let spec = &mut typed.encoder;
    let offset = spec.keys.weights.as_ref().map_or(spec.start, start);
    let here = offset..offset;
    let size = spec.overrides.image_size.as_ref().map_or(released.image_size, |size| *size.get_ref());
    spec.overrides.image_size = Some(Spanned::new(here.clone(), small(size)));
    let seed = spec.keys.seed.as_ref().map_or(0, |seed| *seed.get_ref());
    spec.keys.seed = Some(Spanned::new(here.clone(), seed));
    // A missing `weights` is still reported.
    if let Some(weights) = &mut spec.keys.weights {
        *weights.get_mut() = "synthetic".to_owned();
    }
    (spec.keys.heads, spec.keys.text_heads) = (None, None);
    spec.keys.precision = Some(Spanned::new(here, Precision::F32));
    spec.arch = Some(ArchSpec { start: offset, arch: Some(arch), offsets: Vec::new() });
}
