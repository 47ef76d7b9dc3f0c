//! What one pass over a file's pixels finds out: all that checks of images and masks need to know.

use std::path::Path;

use image::{ColorType, DynamicImage};

use crate::decode::{self, Depth, Pixels, Samples};
use crate::error::Result;
use crate::head::Head;
use crate::mask::{MaskValues, marks};
use crate::shape::Shape;
use crate::thumb::Thumb;

/// Of a picture as it is shown. Values are grey values; of coloured pixels, their luma at eight bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// BLAKE3 of the size and of the pixels as a model sees them: equal for one picture in two files.
    pub pixels: [u8; 32],
    /// What it has in common with copies that are not equal pixel by pixel.
    pub thumb: Option<Thumb>,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The orientation tag that was applied, 1 to 8.
    pub orientation: u8,
    /// The orientation that stands in XMP alone and was not applied; 1 for none.
    pub in_xmp: u8,
    /// Compressed with loss.
    pub lossy: bool,
    /// Full scale: 255 or 65,535.
    pub full: u16,
    /// Largest stored value of any channel but alpha.
    pub largest: u16,
    /// Smallest stored value of any channel but alpha.
    pub smallest: u16,
    /// The same two without the thousandth of pixels at either end, within 1/256 of full scale: of a single hot pixel
    /// they know nothing.
    pub most: [u16; 2],
    /// Some pixel has colour.
    pub coloured: bool,
    /// All pixels have one colour.
    pub flat: bool,
    /// Its alpha channel has more than one value.
    pub alpha_varies: bool,
    /// Pixels that are not black, and more than half transparent.
    pub hidden: u64,
    /// Pixels above half of full scale.
    pub half: u64,
    /// Pixels that are not black.
    pub nonzero: u64,
    /// Pixels strictly between black and full scale.
    pub between: u64,
    /// How many values there are.
    pub distinct: u32,
    /// The smallest of them, at most [`Facts::VALUES`].
    pub values: Vec<u16>,
    /// How the pixels above half of full scale lie, and how those that are not black do; of pictures with many values
    /// between the two, which no mask has, nothing.
    pub shapes: [Shape; 2],
}

impl Facts {
    /// Values that are kept by name.
    pub const VALUES: usize = 16;

    /// Decodes a file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// As [`decode::decode`].
    pub(crate) fn of(bytes: &[u8], path: &Path) -> Result<Self> {
        let image = decode::decode_image(bytes, path)?;
        let head = Head::of(bytes);
        let mut facts = Self::of_samples(&image);
        facts.orientation = head.map_or(1, |head| head.orientation);
        facts.in_xmp = head.map_or(1, |head| head.in_xmp);
        facts.lossy = head.is_some_and(|head| head.lossy);
        let nonzero = facts.may_be_a_mask().then(|| decode::pixels(image.clone(), path, Depth::Nonzero)).transpose()?;
        let pixels = decode::pixels(image, path, Depth::Scaled)?;
        let grey = pixels.to_grey();
        facts.thumb = Thumb::of(&grey, pixels.width);
        let half: Vec<bool> = grey.into_iter().map(marks).collect();
        facts.half = half.iter().filter(|marked| **marked).count() as u64;
        if let Some(nonzero) = nonzero {
            let nonzero: Vec<bool> = nonzero.to_grey().into_iter().map(|value| value > 0).collect();
            let of = |marked: &[bool]| Shape::of(marked, facts.width as usize);
            let first = of(&half);
            facts.shapes = [first, if nonzero == half { first } else { of(&nonzero) }];
        }
        facts.pixels = hash(&pixels);
        Ok(facts)
    }

    /// Of pixels that are in no file.
    pub(crate) fn of_pixels(pixels: Pixels) -> Self {
        let hash = hash(&pixels);
        let (width, height, grey) = (pixels.width as u32, pixels.height as u32, pixels.to_grey());
        let half = grey.iter().filter(|value| marks(**value)).count() as u64;
        let thumb = Thumb::of(&grey, pixels.width);
        let image = image::GrayImage::from_raw(width, height, grey).unwrap_or_default();
        Self { pixels: hash, thumb, half, ..Self::of_samples(&DynamicImage::ImageLuma8(image)) }
    }

    /// Pixels that count as lesion.
    pub fn marked(&self, values: MaskValues) -> u64 {
        match values {
            MaskValues::Half => self.half,
            MaskValues::Nonzero => self.nonzero,
        }
    }

    /// How the pixels lie that count as lesion.
    pub fn shape(&self, values: MaskValues) -> Shape {
        match values {
            MaskValues::Half => self.shapes[0],
            MaskValues::Nonzero => self.shapes[1],
        }
    }

    /// At most a quarter of the pixels has a value between black and full scale.
    fn may_be_a_mask(&self) -> bool {
        4 * self.between <= u64::from(self.width) * u64::from(self.height)
    }

    /// Why a mask marks nothing, and what to do.
    pub(crate) fn why_empty(&self) -> String {
        if self.alpha_varies {
            "the lesion seems to be in its alpha channel, which is not read; save the mask as grey without alpha"
                .to_owned()
        } else if self.coloured && self.nonzero > 0 {
            "it is coloured, and no colour of it is brighter than half of full scale; if every colour but black marks a \
             lesion, set `mask_values = \"nonzero\"` for the dataset"
                .to_owned()
        } else if self.nonzero == 0 {
            "every value is zero; correct the mask, or move the image to the normal ones".to_owned()
        } else {
            format!(
                "its largest value is {} of {}, at most half of full scale; if every value above zero marks a lesion, set \
                 `mask_values = \"nonzero\"` for the dataset",
                self.largest, self.full
            )
        }
    }

    /// The share of pixels that count as lesion.
    pub fn share(&self, values: MaskValues) -> f64 {
        self.marked(values) as f64 / (f64::from(self.width) * f64::from(self.height)).max(1.0)
    }

    fn of_samples(image: &DynamicImage) -> Self {
        let (width, height) = (image.width(), image.height());
        let mut tally = Tally::new();
        let channels = usize::from(image.color().channel_count());
        let alpha = image.color().has_alpha();
        let wide = matches!(image.color(), ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
        let full = if wide { u16::MAX } else { 255 };
        match image {
            DynamicImage::ImageLuma16(b) => tally.all(b.as_raw(), channels, alpha, full),
            DynamicImage::ImageLumaA16(b) => tally.all(b.as_raw(), channels, alpha, full),
            DynamicImage::ImageRgb16(b) => tally.all(b.as_raw(), channels, alpha, full),
            DynamicImage::ImageRgba16(b) => tally.all(b.as_raw(), channels, alpha, full),
            // Floating point is refused later.
            other => tally.all(other.as_bytes(), channels, alpha, full),
        }
        Self {
            pixels: [0; 32],
            thumb: None,
            width,
            height,
            orientation: 1,
            in_xmp: 1,
            lossy: false,
            full,
            largest: tally.largest,
            smallest: tally.smallest.min(tally.largest),
            most: tally.most(full),
            coloured: tally.coloured,
            flat: tally.flat,
            alpha_varies: tally.alpha_varies,
            hidden: tally.hidden,
            half: 0,
            nonzero: tally.nonzero,
            between: tally.between,
            distinct: tally.seen.iter().map(|bits| bits.count_ones()).sum(),
            values: tally.values().take(Self::VALUES).collect(),
            shapes: [Shape::default(); 2],
        }
    }

    /// One line of words, for a cache.
    pub(crate) fn to_line(&self) -> String {
        let pixels = blake3::Hash::from_bytes(self.pixels).to_hex();
        let flags = [self.lossy, self.coloured, self.flat, self.alpha_varies];
        let flags: String = flags.iter().map(|flag| if *flag { '1' } else { '0' }).collect();
        let values: Vec<String> = self.values.iter().map(u16::to_string).collect();
        format!(
            "{pixels} {} {} {} {} {} {flags} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
            self.thumb.map_or_else(|| "-".to_owned(), Thumb::to_hex),
            self.width,
            self.height,
            self.orientation,
            self.in_xmp,
            self.full,
            self.largest,
            self.smallest,
            self.most[0],
            self.most[1],
            self.hidden,
            self.half,
            self.nonzero,
            self.between,
            self.distinct,
            self.shapes[0].border,
            self.shapes[0].enclosed,
            self.shapes[1].border,
            self.shapes[1].enclosed,
            values.join(",")
        )
    }

    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let pixels = *blake3::Hash::from_hex(words.next()?).ok()?.as_bytes();
        let thumb = match words.next()? {
            "-" => None,
            hex => Some(Thumb::from_hex(hex)?),
        };
        let (width, height) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (orientation, in_xmp) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let flags: Vec<bool> = words.next()?.bytes().map(|flag| flag == b'1').collect();
        let [lossy, coloured, flat, alpha_varies] = flags[..] else { return None };
        let mut shorts = || words.next()?.parse::<u16>().ok();
        let (full, largest, smallest, most) = (shorts()?, shorts()?, shorts()?, [shorts()?, shorts()?]);
        let mut counts = || words.next()?.parse::<u64>().ok();
        let (hidden, half, nonzero, between) = (counts()?, counts()?, counts()?, counts()?);
        let distinct = words.next()?.parse().ok()?;
        let mut shape = || Some(Shape { border: words.next()?.parse().ok()?, enclosed: words.next()?.parse().ok()? });
        let shapes = [shape()?, shape()?];
        let values = words.next()?.split(',').filter(|value| !value.is_empty());
        let values = values.map(|value| value.parse().ok()).collect::<Option<_>>()?;
        Some(Self {
            pixels,
            thumb,
            width,
            height,
            orientation,
            in_xmp,
            lossy,
            full,
            largest,
            smallest,
            most,
            coloured,
            flat,
            alpha_varies,
            hidden,
            half,
            nonzero,
            between,
            distinct,
            values,
            shapes,
        })
    }
}

/// Of the pixels as a model sees them: a grey picture is the same in one channel and in three.
fn hash(pixels: &Pixels) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"harness pixels 1 ");
    hasher.update(&(pixels.width as u64).to_le_bytes()).update(&(pixels.height as u64).to_le_bytes());
    match &pixels.samples {
        Samples::Rgb(values) if values.chunks_exact(3).any(|p| p[0] != p[1] || p[1] != p[2]) => hasher.update(values),
        Samples::Rgb(values) => hasher.update(&values.iter().copied().step_by(3).collect::<Vec<u8>>()),
        Samples::Grey(values) => hasher.update(values),
    };
    *hasher.finalize().as_bytes()
}

/// What is counted of pixels.
struct Tally {
    /// A bit for each value of 16 bits.
    seen: Vec<u64>,
    largest: u16,
    smallest: u16,
    /// Pixels by the top eight bits of their smallest and of their largest channel.
    spread: [[u64; 256]; 2],
    coloured: bool,
    flat: bool,
    alpha_varies: bool,
    hidden: u64,
    nonzero: u64,
    between: u64,
}

impl Tally {
    fn new() -> Self {
        Self {
            seen: vec![0; 1024],
            largest: 0,
            smallest: u16::MAX,
            spread: [[0; 256]; 2],
            coloured: false,
            flat: true,
            alpha_varies: false,
            hidden: 0,
            nonzero: 0,
            between: 0,
        }
    }

    fn all<T: Copy + Into<u16> + PartialEq>(&mut self, samples: &[T], channels: usize, alpha: bool, full: u16) {
        let colours = channels - usize::from(alpha);
        let Some(first) = samples.get(..channels) else { return };
        for pixel in samples.chunks_exact(channels) {
            self.flat &= pixel[..colours] == first[..colours];
            let value = self.pixel(&pixel[..colours], full);
            if alpha {
                self.alpha_varies |= pixel[colours] != first[colours];
                self.hidden += u64::from(value > 0 && pixel[colours].into() <= full / 2);
            }
        }
    }

    /// Counts a pixel and returns its grey value; above zero where any channel is.
    fn pixel<T: Copy + Into<u16>>(&mut self, colours: &[T], full: u16) -> u16 {
        let mut value = colours[0].into();
        let (mut largest, mut smallest) = (value, value);
        if let [red, green, blue] = colours {
            let [red, green, blue]: [u16; 3] = [(*red).into(), (*green).into(), (*blue).into()];
            (largest, smallest) = (red.max(green).max(blue), red.min(green).min(blue));
            if largest != smallest {
                self.coloured = true;
                let scale = u32::from(full) / 255;
                let [red, green, blue] = [red, green, blue].map(|value| (u32::from(value) + scale / 2) / scale);
                let luma = (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16;
                value = (luma as u16).max(1);
            }
        }
        self.largest = self.largest.max(largest);
        self.smallest = self.smallest.min(smallest);
        let shift = if full > 255 { 8 } else { 0 };
        self.spread[0][usize::from(smallest >> shift) & 255] += 1;
        self.spread[1][usize::from(largest >> shift) & 255] += 1;
        self.seen[usize::from(value >> 6)] |= 1 << (value & 63);
        self.nonzero += u64::from(value > 0);
        self.between += u64::from(value > 0 && value < full);
        value
    }

    /// Smallest and largest value without a thousandth of the pixels at either end.
    fn most(&self, full: u16) -> [u16; 2] {
        let (width, below) = if full > 255 { (256, 255) } else { (1, 0) };
        let [small, large] = &self.spread;
        let aside = small.iter().sum::<u64>() / 1000;
        let left = |counts: &mut dyn Iterator<Item = &u64>| {
            let mut sum = 0;
            counts
                .take_while(|count| {
                    sum += **count;
                    sum <= aside
                })
                .count() as u16
        };
        let (low, high) = (left(&mut small.iter()), left(&mut large.iter().rev()));
        let smallest = self.smallest.min(self.largest);
        let low = (low.min(255) * width).max(smallest).min(self.largest);
        let high = (255_u16.saturating_sub(high) * width).saturating_add(below).min(self.largest).max(low);
        [low, high]
    }

    fn values(&self) -> impl Iterator<Item = u16> + '_ {
        (0..=u16::MAX).filter(|value| self.seen[usize::from(value >> 6)] >> (value & 63) & 1 == 1)
    }
}
