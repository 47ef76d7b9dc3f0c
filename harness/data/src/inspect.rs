//! Checks of images and masks over their facts: what can't be what it seems, and what to set. `verify` has them of all
//! files, a plan of a sample, a run of every file that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use harness_text::{count, group};

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::hashes::FileHashes;
use crate::item::{Item, Source};
use crate::mask::MaskValues;

/// An image and its mask with what is known of them.
#[derive(Debug)]
pub struct Looked<'a> {
    /// Which image.
    pub item: &'a Item,
    /// Facts of the image, or why it can't be read.
    pub image: Result<Arc<Facts>, DataError>,
    /// Facts of the mask, where it has one.
    pub mask: Option<Result<Arc<Facts>, DataError>>,
}

impl<'a> Looked<'a> {
    /// Decodes what is not remembered.
    pub fn at(item: &'a Item, hashes: &FileHashes) -> Self {
        let facts = |mask| item.missing_mask().map_or_else(|| hashes.facts(mask), Err);
        let mask = item.mask.as_ref().map(facts);
        Self { item, image: hashes.facts(&item.image), mask }
    }

    /// What is remembered; `None` where something would have to be decoded.
    pub fn remembered(item: &'a Item, hashes: &FileHashes) -> Option<Self> {
        let image = hashes.known_facts(&item.image)?;
        let mask = match &item.mask {
            Some(mask) => Some(Ok(hashes.known_facts(mask)?)),
            None => None,
        };
        Some(Self { item, image: Ok(image), mask })
    }

    /// What makes the image or its mask unusable.
    fn errors(&self, values: MaskValues) -> Vec<(Unusable, String)> {
        let mut errors = Vec::new();
        if let Err(error) = &self.image {
            errors.push((Unusable::Image, error.to_string()));
        }
        // One reason for a mask: of a wrong size, it need not be looked at further.
        errors.extend(self.mask_error(values));
        errors
    }

    fn mask_error(&self, values: MaskValues) -> Option<(Unusable, String)> {
        let source = self.item.mask.as_ref()?;
        let mask = match self.mask.as_ref()? {
            Ok(mask) => mask,
            Err(error @ DataError::MissingMask { .. }) => return Some((Unusable::Missing, error.to_string())),
            Err(error) => return Some((Unusable::Mask, error.to_string())),
        };
        let misfit = self.image.as_ref().ok().and_then(|image| misfit(self.item, image, mask));
        let empty = || format!("{source}: the mask of an abnormal image is empty: {}", mask.why_empty());
        match misfit {
            Some(misfit) => Some((Unusable::Size, misfit)),
            None => (mask.marked(values) == 0).then(|| (Unusable::Empty, empty())),
        }
    }
}

/// A mask of another size than its image.
fn misfit(item: &Item, image: &Facts, mask: &Facts) -> Option<String> {
    let stored = |facts: &Facts| crate::head::shown(facts.width, facts.height, facts.orientation);
    misfit_of(item, (image.width, image.height), (mask.width, mask.height), stored(image) == stored(mask))
}

fn misfit_of(item: &Item, image: (u32, u32), mask: (u32, u32), turned: bool) -> Option<String> {
    let source = item.mask.as_ref().filter(|_| image != mask)?;
    let ((width, height), (mask_width, mask_height)) = (image, mask);
    let (mask, image) = (source.path(), item.image.path());
    Some(DataError::MaskSize { mask, mask_width, mask_height, image, width, height, turned }.to_string())
}

/// Masks whose size is not their image's, from the heads of all files: no pixel is decoded, and heads are remembered.
/// Files that can't be read are left to other checks.
pub fn misfits(items: &[Item], hashes: &FileHashes) -> Vec<String> {
    use rayon::prelude::*;
    let check = |item: &Item| {
        let image = hashes.size_of(&item.image).ok()??;
        let mask = hashes.size_of(item.mask.as_ref()?).ok()??;
        misfit_of(item, image.shown, mask.shown, image.stored == mask.stored)
    };
    items.par_iter().filter_map(check).collect()
}

/// Why a file can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// An image that can't be read.
    Image,
    /// A mask that is not there.
    Missing,
    /// A mask that can't be read.
    Mask,
    /// A mask of another size than its image.
    Size,
    /// A mask that marks nothing.
    Empty,
}

impl Unusable {
    const ALL: [Self; 5] = [Self::Image, Self::Missing, Self::Mask, Self::Size, Self::Empty];

    /// Such files, in the plural.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Image => "images that can't be read",
            Self::Missing => "masks that are not there",
            Self::Mask => "masks that can't be read",
            Self::Size => "masks of another size",
            Self::Empty => "empty masks",
        }
    }
}

/// What is wrong with files one by one, and what is doubtful about them together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Files that can't be used, by kind: a message for each.
    pub unusable: Vec<(Unusable, Vec<String>)>,
    /// What is doubtful, or worth knowing.
    pub findings: Vec<Finding>,
}

/// Checks images and masks of a dataset.
pub fn inspect(dataset: &Dataset, looked: &[Looked<'_>]) -> Inspection {
    let values = dataset.mask_values();
    let errors: Vec<(Unusable, String)> = looked.iter().flat_map(|looked| looked.errors(values)).collect();
    let of = |kind| errors.iter().filter(|(other, _)| *other == kind).map(|(_, message)| message.clone()).collect();
    let unusable = Unusable::ALL.map(|kind| (kind, of(kind)));
    let unusable = unusable.into_iter().filter(|(_, messages): &(_, Vec<String>)| !messages.is_empty()).collect();
    let checks = Checks::of(dataset, looked);
    let of_masks = [
        checks.inverted(),
        checks.some_inverted(),
        checks.whole(),
        checks.outlines(),
        checks.values(),
        checks.alpha(),
        checks.own_image(),
        checks.one_for_many(),
    ];
    let findings = of_masks.into_iter().flatten().chain(checks.of_images()).collect();
    Inspection { unusable, findings }
}

/// Checks images that are of no dataset, called by their names.
pub fn inspect_images(images: &[(&Source, &Facts)]) -> Vec<Finding> {
    let (values, masks, pairs) = (MaskValues::default(), Vec::new(), Vec::new());
    Checks { about: String::new(), values, images: images.to_vec(), masks, pairs }.of_images()
}

/// Some names of many: `a.png, b.png and 3 more`.
pub(crate) fn named<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let shown = names[..names.len().min(3)].join(", ");
    if names.len() > 3 { format!("{shown} and {} more", names.len() - 3) } else { shown }
}

/// The subject of a sentence about some of all things, which goes on in the plural or for one thing in the singular.
fn share(part: usize, all: usize, noun: &str) -> String {
    let all_of = count(all as u64, noun);
    if part < all {
        format!("{} of {all_of}", group(part as u64))
    } else if all == 1 {
        format!("the one {noun}")
    } else {
        format!("all {all_of}")
    }
}

/// The verb of a sentence about so many.
fn verb<'a>(number: usize, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}

/// What the checks are about.
struct Checks<'a> {
    /// Begins every message: the dataset's name.
    about: String,
    values: MaskValues,
    /// Images that could be read.
    images: Vec<(&'a Source, &'a Facts)>,
    /// Masks that could be read and mark something.
    masks: Vec<(&'a Source, &'a Facts)>,
    /// Both.
    pairs: Vec<(&'a Item, &'a Facts, &'a Facts)>,
}

impl<'a> Checks<'a> {
    fn of(dataset: &'a Dataset, looked: &'a [Looked<'a>]) -> Self {
        let values = dataset.mask_values();
        let about = format!("[{}]: ", dataset.name());
        let mut checks = Self { about, values, images: Vec::new(), masks: Vec::new(), pairs: Vec::new() };
        for Looked { item, image, mask } in looked {
            if let Ok(image) = image {
                checks.images.push((&item.image, image));
            }
            let (Some(source), Some(Ok(mask))) = (&item.mask, mask) else { continue };
            // Of one of another size that is all there is to say.
            let size = |facts: &Facts| (facts.width, facts.height);
            let fits = image.as_ref().map_or(true, |image| size(image) == size(mask));
            if mask.marked(values) > 0 && fits {
                checks.masks.push((source, mask));
            }
            if let Ok(image) = image {
                checks.pairs.push((item, image, mask));
            }
        }
        checks
    }

    fn warning(&self, message: impl std::fmt::Display) -> Finding {
        Finding { severity: Severity::Warning, message: format!("{}{message}", self.about), count: 1 }
    }

    /// Masks whose lesion is in the channels that are read.
    fn plain(&self) -> impl Iterator<Item = &(&'a Source, &'a Facts)> {
        self.masks.iter().filter(|(_, mask)| !hides_in_alpha(mask))
    }

    /// The median of the shares of pixels that count as lesion.
    fn median<'b>(&self, masks: impl IntoIterator<Item = &'b &'b (&'a Source, &'a Facts)>) -> Option<f64>
    where
        'a: 'b,
    {
        let mut shares: Vec<f64> = masks.into_iter().map(|(_, mask)| mask.share(self.values)).collect();
        shares.sort_by(f64::total_cmp);
        shares.get(shares.len() / 2).copied()
    }

    /// Lesions that are larger than the rest.
    fn inverted(&self) -> Option<Finding> {
        let masks: Vec<_> = self.plain().collect();
        let median = self.median(&masks).filter(|median| *median > 0.5)?;
        Some(self.warning(format_args!(
            "the masks seem to be inverted: in the median of {} {:.0} % of the pixels count as lesion; save them so that \
             lesions are bright and the rest is black",
            count(masks.len() as u64, "mask"),
            100.0 * median
        )))
    }

    /// Some masks of lesions that are larger than the rest and fill the border, where the others' are small.
    fn some_inverted(&self) -> Option<Finding> {
        let seems = |mask: &Facts| {
            let share = mask.share(self.values);
            // A lesion at the border is a gap in an inverted mask's.
            share > 0.55 && share < 1.0 && mask.shape(self.values).border >= 800
        };
        let (odd, others): (Vec<_>, Vec<_>) = self.plain().partition(|(_, mask)| seems(mask));
        let (of_odd, of_others) = (self.median(&odd)?, self.median(&others)?);
        let at_border = others.iter().filter(|(_, mask)| mask.shape(self.values).border >= 300).count();
        (odd.len() < others.len() && of_others < 0.45 && 2 * at_border < others.len()).then(|| {
            self.warning(format_args!(
                "{} {} to be inverted ({}): about {:.0} % of the pixels count as lesion, the border among them, and {:.0} % in \
                 the median of the others; look whether lesions are bright there and the rest is black",
                share(odd.len(), odd.len() + others.len(), "mask"),
                verb(odd.len(), "seems", "seem"),
                named(odd.iter().map(|(source, _)| source)),
                100.0 * of_odd,
                100.0 * of_others
            ))
        })
    }

    /// Lesions drawn as a line around them.
    fn outlines(&self) -> Option<Finding> {
        let encloses = |mask: &Facts| mask.shape(self.values).enclosed >= mask.marked(self.values);
        let outlines: Vec<_> = self.plain().filter(|(_, mask)| encloses(mask)).collect();
        (!outlines.is_empty()).then(|| {
            self.warning(format_args!(
                "{} {} to be outlines ({}): they enclose at least as many pixels as they mark, and what is inside counts as \
                 healthy; fill them",
                share(outlines.len(), self.masks.len(), "mask"),
                verb(outlines.len(), "seems", "seem"),
                named(outlines.iter().map(|(source, _)| source))
            ))
        })
    }

    /// Masks of different images that are one picture. Few pixels may well be the same ones by chance.
    fn one_for_many(&self) -> Option<Finding> {
        const FEW: u64 = 64;
        let mut groups: BTreeMap<[u8; 32], Vec<(&Item, &Facts)>> = BTreeMap::new();
        for (item, image, mask) in &self.pairs {
            let share = mask.share(self.values);
            let group = groups.entry(mask.pixels).or_default();
            if mask.marked(self.values) >= FEW && share < 1.0 && group.iter().all(|(_, o)| o.pixels != image.pixels) {
                group.push((item, image));
            }
        }
        groups.retain(|_, group| group.len() > 1);
        let first = groups.values().max_by_key(|group| group.len())?;
        let all: usize = groups.values().map(Vec::len).sum();
        Some(self.warning(format_args!(
            "{} of different images are pixel by pixel the same as another's, such as those of {}; look whether each image \
             has its own mask",
            share(all, self.pairs.len(), "mask"),
            named(first.iter().map(|(item, _)| &item.name))
        )))
    }

    /// What is doubtful about images by themselves.
    fn of_images(&self) -> Vec<Finding> {
        self.blank().into_iter().chain(self.dark()).chain(self.turned()).chain(self.turned_in_xmp()).collect()
    }

    /// Images of one colour: all that are black or white, and others where they are few.
    fn blank(&self) -> Option<Finding> {
        let flat = || self.images.iter().filter(|(_, image)| image.flat);
        let few = 2 * flat().count() < self.images.len();
        let blank: Vec<_> = flat().filter(|(_, i)| few || i.largest == 0 || i.smallest == i.full).collect();
        (!blank.is_empty()).then(|| {
            self.warning(format_args!(
                "{} {} one colour throughout ({}); look whether {} exported right",
                share(blank.len(), self.images.len(), "image"),
                verb(blank.len(), "has", "have"),
                named(blank.iter().map(|(source, _)| source)),
                verb(blank.len(), "it was", "they were")
            ))
        })
    }

    /// Masks of nothing but lesion, among others.
    fn whole(&self) -> Option<Finding> {
        let whole: Vec<_> = self.masks.iter().filter(|(_, mask)| mask.share(self.values) >= 1.0).collect();
        (!whole.is_empty() && 2 * whole.len() < self.masks.len()).then(|| {
            self.warning(format_args!(
                "{} {} every pixel as lesion ({}); look whether that is right",
                share(whole.len(), self.masks.len(), "mask"),
                verb(whole.len(), "marks", "mark"),
                named(whole.iter().map(|(source, _)| source))
            ))
        })
    }

    /// Values that say more than lesion or not.
    fn values(&self) -> Option<Finding> {
        match self.values {
            MaskValues::Half => self.between(),
            MaskValues::Nonzero => self.soft().or_else(|| self.labels()),
        }
    }

    /// Under `half`: values that are neither black nor full scale.
    fn between(&self) -> Option<Finding> {
        let odd: Vec<_> = self.masks.iter().filter(|(_, mask)| mask.between > 0 && !mask.lossy).collect();
        let (first, facts) = odd.first()?;
        let full = facts.full;
        let few = odd.iter().all(|(_, mask)| mask.distinct as usize <= Facts::VALUES);
        let values: BTreeSet<u16> =
            odd.iter().flat_map(|(_, mask)| mask.values.iter().copied()).filter(|v| *v > 0 && *v < full).collect();
        let what = if few {
            format!("values other than 0 and {full}: {}", named(values))
        } else {
            format!("many values between 0 and {full}, such as soft edges have")
        };
        Some(self.warning(format_args!(
            "{} {} {what} ({first}); with `mask_values = \"half\"` only values above {} mark a lesion, and edges near \
             that value move when images are warped: write lesions as {full} and the rest as 0, or set \
             `mask_values = \"nonzero\"` if every value above 0 marks a lesion",
            share(odd.len(), self.masks.len(), "mask"),
            verb(odd.len(), "holds", "hold"),
            full / 2
        )))
    }

    /// Under `nonzero`: what compression or smoothing leaves around a lesion is taken for lesion.
    fn soft(&self) -> Option<Finding> {
        let is_soft = |mask: &Facts| {
            mask.distinct > 2 && (mask.lossy || mask.distinct as usize > Facts::VALUES) && mask.nonzero > mask.half
        };
        let soft: Vec<_> = self.masks.iter().filter(|(_, mask)| is_soft(mask)).collect();
        let (first, _) = soft.first()?;
        let (faint, all) =
            soft.iter().fold((0, 0), |(faint, all), (_, mask)| (faint + mask.nonzero - mask.half, all + mask.nonzero));
        let lossy = soft.iter().any(|(_, mask)| mask.lossy);
        let why = if lossy { "JPEG leaves faint values around a lesion" } else { "they have soft edges" };
        Some(self.warning(format_args!(
            "{} {} faint values ({first}): {why}, and with `mask_values = \"nonzero\"` all of them count as lesion, \
             {:.0} % of what is marked; set `mask_values = \"half\"`, or save the masks as PNG of two values",
            share(soft.len(), self.masks.len(), "mask"),
            verb(soft.len(), "holds", "hold"),
            100.0 * faint as f64 / (all as f64).max(1.0)
        )))
    }

    /// Under `nonzero`: labels by number, of which some may be organ and not lesion.
    fn labels(&self) -> Option<Finding> {
        let values: BTreeSet<u16> =
            self.masks.iter().flat_map(|(_, mask)| mask.values.iter().copied()).filter(|value| *value > 0).collect();
        let several = self.masks.iter().filter(|(_, mask)| mask.values.iter().filter(|v| **v > 0).count() > 1).count();
        let coloured = self.masks.iter().any(|(_, mask)| mask.coloured);
        (values.len() > 1).then(|| {
            self.warning(format_args!(
                "masks hold several labels ({}{}; {} {} more than one), and with `mask_values = \"nonzero\"` each \
                 counts as lesion: if one is the organ or the background, write masks of the lesion alone",
                if coloured { "colours, as grey: " } else { "" },
                if values.len() > 8 { format!("{} values", values.len()) } else { listed(&values) },
                count(several as u64, "mask"),
                verb(several, "holds", "hold")
            ))
        })
    }

    /// Lesions that only the alpha channel shows.
    fn alpha(&self) -> Option<Finding> {
        let odd: Vec<_> = self.masks.iter().filter(|(_, mask)| hides_in_alpha(mask)).collect();
        let (first, _) = odd.first()?;
        Some(self.warning(format_args!(
            "{} {} to hold the lesion in the alpha channel ({first}), which is not read: transparent pixels count as lesion; \
             save the masks as grey without alpha",
            share(odd.len(), self.masks.len(), "mask"),
            verb(odd.len(), "seems", "seem")
        )))
    }

    /// Masks that are a copy of their image.
    fn own_image(&self) -> Option<Finding> {
        let same: Vec<_> = self.pairs.iter().filter(|(_, image, mask)| image.pixels == mask.pixels).collect();
        let (item, ..) = same.first()?;
        Some(self.warning(format_args!(
            "{} {} of the image ({}); put the masks in their place",
            share(same.len(), self.pairs.len(), "mask"),
            verb(same.len(), "is a copy", "are copies"),
            item.name
        )))
    }

    /// Images whose values fill a small part of full scale, single pixels aside.
    fn dark(&self) -> Vec<Finding> {
        [true, false].into_iter().filter_map(|wide| self.dark_of(wide)).collect()
    }

    /// The same of those with 16 bits or of those with 8.
    fn dark_of(&self, wide: bool) -> Option<Finding> {
        // A picture of one colour has no contrast to lose.
        let counts = |image: &Facts| (image.full > 255) == wide && (wide || !image.flat);
        let some: Vec<_> = self.images.iter().filter(|(_, image)| counts(image)).collect();
        let (first, _) = some.first()?;
        let full = if wide { u16::MAX } else { 255 };
        let low = some.iter().map(|(_, image)| image.most[0]).min()?;
        let high = some.iter().map(|(_, image)| image.most[1]).max()?;
        let mut ranges: Vec<u16> = some.iter().map(|(_, image)| image.most[1] - image.most[0]).collect();
        ranges.sort_unstable();
        // A quarter of 16 bits: 14-bit values. Pictures of 8 bits may well be that dark; an eighth leaves 31 greys.
        let part = if wide { full / 4 } else { full / 8 };
        let dark = high - low <= part || ranges[ranges.len() / 2] < full / 8;
        dark.then(|| {
            let what = match high {
                _ if !wide => "",
                0..=255 => ": 8-bit values in 16-bit files",
                256..=4095 => ": values of at most 12 bits in 16-bit files",
                4096..=16_383 => ": values of at most 14 bits in 16-bit files",
                _ => "",
            };
            let become_ = if high <= part { "nearly black" } else { "nearly without contrast" };
            let way_out = if wide { "rescale them to the full 16 bit, or save them as 8 bit" } else { "rescale them to 0 to 255" };
            let bits = if wide { "16-bit" } else { "8-bit" };
            let images = count(some.len() as u64, &format!("{bits} image"));
            self.warning(format_args!(
                "values of {images} are from {low} to {high} of {full}{what} ({first}); they become {become_}: {way_out}"
            ))
        })
    }

    /// Pictures that an orientation tag turns, and pairs of which it turns one.
    fn turned(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let turned = |files: &[(&Source, &Facts)]| files.iter().filter(|(_, facts)| facts.orientation != 1).count();
        let (images, masks) = (turned(&self.images), turned(&self.masks));
        let both = [(images, "image"), (masks, "mask")].into_iter().filter(|(number, _)| *number > 0);
        let both: Vec<String> = both.map(|(number, noun)| count(number as u64, noun)).collect();
        if !both.is_empty() {
            let verb = if images + masks == 1 { "is turned by its" } else { "are turned by their" };
            let message = format!("{}{} {verb} orientation tag, as viewers show them", self.about, both.join(" and "));
            findings.push(Finding { severity: Severity::Note, message, count: 1 });
        }
        // Where the sizes fit only as they are now shown, the mask was drawn on what viewers show.
        let stored = |facts: &Facts| crate::head::shown(facts.width, facts.height, facts.orientation);
        let doubtful: Vec<_> = (self.pairs.iter())
            .filter(|(_, image, mask)| {
                image.orientation != mask.orientation
                    && (image.width, image.height) == (mask.width, mask.height)
                    && stored(image) == stored(mask)
            })
            .collect();
        if let Some((item, image, mask)) = doubtful.first() {
            findings.push(self.warning(format_args!(
                "{} of {} images and masks are turned differently by their orientation tags ({}: image {}, mask {}), and \
                 their sizes don't tell which is meant; look whether they fit, or turn the pixels and remove the tags",
                doubtful.len(),
                self.pairs.len(),
                item.name,
                image.orientation,
                mask.orientation
            )));
        }
        findings
    }

    /// Pictures with an orientation in XMP and none in their tag.
    fn turned_in_xmp(&self) -> Option<Finding> {
        let odd: Vec<_> = self.images.iter().chain(&self.masks).filter(|(_, facts)| facts.in_xmp != 1).collect();
        (!odd.is_empty()).then(|| {
            self.warning(format_args!(
                "{} ({}) {} an orientation in XMP data and none in the tag, and {} read as stored, as browsers show them; some \
                 programs turn such pictures: look whether they lie right, or turn the pixels and remove the entry",
                count(odd.len() as u64, "file"),
                named(odd.iter().map(|(source, _)| source)),
                verb(odd.len(), "has", "have"),
                verb(odd.len(), "is", "are")
            ))
        })
    }
}

/// Whether a mask's lesion is what its alpha channel shows.
fn hides_in_alpha(mask: &Facts) -> bool {
    mask.alpha_varies && (mask.flat || mask.hidden > 0)
}

fn listed(values: &BTreeSet<u16>) -> String {
    values.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// Evenly spaced ones of many, at most `most`.
pub fn sample<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let taken = all.len().min(most);
    (0..taken).map(move |i| &all[i * all.len() / taken.max(1)])
}
