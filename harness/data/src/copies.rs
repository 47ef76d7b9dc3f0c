//! Pictures that are there more than once: pixel by pixel, or nearly so, saved again with loss, resized, made brighter,
//! mirrored or turned.

use std::collections::BTreeMap;

use harness_text::count;
use rayon::prelude::*;

use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::inspect::named;
use crate::item::Item;

/// Cells a side.
const SIDE: usize = 8;
/// Grey levels that cells must vary by, as a standard deviation: a picture of less is all noise.
const CONTRAST: f64 = 2.0;
/// Steps a standard deviation.
const STEPS: f64 = 42.0;
/// How much cells of one picture may differ: the root of the mean square, in standard deviations. Measured on
/// ultrasound and MRI: JPEG and resizing change a picture by less than 0.022 (small ones of little contrast by up to
/// 0.046), and neighbouring slices of a patient differ by 0.043 or more.
const NEAR: f64 = 0.04;

/// A picture as 8 x 8 cells, less its brightness and contrast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thumb([i8; SIDE * SIDE]);

impl Thumb {
    /// Of row-major grey values; `None` of a picture without contrast.
    pub(crate) fn of(grey: &[u8], width: usize) -> Option<Self> {
        let height = grey.len().checked_div(width).filter(|height| *height > 0)?;
        let (across, down) = (shares(width), shares(height));
        let mut cells = [0.0; SIDE * SIDE];
        for (row, rows) in grey.chunks_exact(width).zip(&down) {
            let mut sums = [0.0; SIDE];
            for (value, columns) in row.iter().zip(&across) {
                for (column, share) in columns {
                    sums[*column] += share * f64::from(*value);
                }
            }
            for (at, share) in rows {
                sums.iter().enumerate().for_each(|(column, sum)| cells[at * SIDE + column] += share * sum);
            }
        }
        let mean = cells.iter().sum::<f64>() / cells.len() as f64;
        let deviation = (cells.iter().map(|cell| (cell - mean).powi(2)).sum::<f64>() / cells.len() as f64).sqrt();
        let step = |cell: f64| ((cell - mean) / deviation * STEPS).round().clamp(-126.0, 126.0) as i8;
        (deviation >= CONTRAST).then(|| Self(cells.map(step)))
    }

    /// As it is, mirrored and turned by right angles.
    fn turns(self) -> [Self; 8] {
        let turned = |turn: usize| {
            Self(std::array::from_fn(|at| {
                let (mut x, mut y) = (at % SIDE, at / SIDE);
                if turn & 4 != 0 {
                    (x, y) = (y, x);
                }
                if turn & 1 != 0 {
                    x = SIDE - 1 - x;
                }
                if turn & 2 != 0 {
                    y = SIDE - 1 - y;
                }
                self.0[y * SIDE + x]
            }))
        };
        std::array::from_fn(turned)
    }

    /// Whether it is nearly the other one, as that stands.
    fn is_near(&self, other: &Self) -> bool {
        let most = (NEAR * STEPS).powi(2) * (SIDE * SIDE) as f64;
        let mut sum = 0;
        for (row, others) in self.0.chunks_exact(SIDE).zip(other.0.chunks_exact(SIDE)) {
            sum += row.iter().zip(others).map(|(a, b)| (i32::from(*a) - i32::from(*b)).pow(2)).sum::<i32>();
            // Of most pairs the first row says enough.
            if f64::from(sum) > most {
                return false;
            }
        }
        true
    }

    /// As text, for a cache.
    pub(crate) fn to_hex(self) -> String {
        self.0.iter().map(|cell| format!("{:02x}", *cell as u8)).collect()
    }

    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let cell = |at: usize| Some(u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()? as i8);
        let cells: Vec<i8> = (0..SIDE * SIDE).map(cell).collect::<Option<_>>()?;
        (text.len() == 2 * cells.len()).then_some(())?;
        Some(Self(cells.try_into().ok()?))
    }
}

/// Of each pixel of a line, the cells that it lies in, and the share that it has of each.
fn shares(pixels: usize) -> Vec<Vec<(usize, f64)>> {
    let cell = pixels as f64 / SIDE as f64;
    let of = |pixel: usize| {
        let (begin, end) = (pixel as f64, pixel as f64 + 1.0);
        let share = |at: usize| (end.min((at + 1) as f64 * cell) - begin.max(at as f64 * cell)) / cell;
        (0..SIDE).map(|at| (at, share(at))).filter(|(_, share)| *share > 0.0).collect()
    };
    (0..pixels).map(of).collect()
}

/// An image and what is known of it.
pub type Known<'a> = (&'a Item, &'a Facts);

/// Pairs of indices, one of each list, whose pictures are nearly the same, as they stand, mirrored or turned by right
/// angles. Those that are the same pixel by pixel don't count.
fn nearly_same(some: &[Known<'_>], others: &[Known<'_>]) -> Vec<(usize, usize)> {
    let turned: Vec<(usize, [Thumb; 8])> =
        some.iter().enumerate().filter_map(|(at, (_, facts))| Some((at, facts.thumb?.turns()))).collect();
    let near = |(at, (_, other)): (usize, &Known<'_>)| -> Vec<(usize, usize)> {
        let Some(thumb) = &other.thumb else { return Vec::new() };
        let is_near = |(first, turns): &&(usize, [Thumb; 8])| {
            turns.iter().any(|turn| turn.is_near(thumb)) && some[*first].1.pixels != other.pixels
        };
        turned.iter().filter(is_near).map(|(first, _)| (*first, at)).collect()
    };
    let mut pairs: Vec<(usize, usize)> = others.par_iter().enumerate().flat_map_iter(near).collect();
    pairs.sort_unstable();
    pairs
}

/// Warns of images to learn from that look nearly the same as test images; `about` begins the message.
pub fn near_copies(about: &str, learned: &[Known<'_>], test: &[Known<'_>]) -> Option<Finding> {
    let mut pairs = nearly_same(learned, test);
    // One image, listed for both.
    pairs.retain(|(first, second)| learned[*first].0.name != test[*second].0.name);
    let (first, second) = pairs.first().map(|(first, second)| (learned[*first].0, test[*second].0))?;
    let mut copies: Vec<usize> = pairs.iter().map(|(_, second)| *second).collect();
    copies.sort_unstable();
    copies.dedup();
    let one = copies.len() == 1;
    let message = format!(
        "{about}: {} {} nearly the same as {} to learn from ({}), such as {} and {}: perhaps one picture saved again, resized, \
         mirrored or turned, so that a model is tested on what it learned from; look at them, and remove one of each",
        count(copies.len() as u64, "test image"),
        if one { "looks" } else { "look" },
        if one { "an image" } else { "images" },
        named(copies.iter().map(|at| &test[*at].0.name)),
        first.name,
        second.name
    );
    Some(Finding { severity: Severity::Warning, message, count: copies.len() })
}

/// An image, another one that it repeats, and how many more do.
type Pair<'a> = (&'a Item, &'a Item, usize);

fn told(about: &str, what: &str, pairs: &[Pair<'_>], shows: &str, so: &str) -> Option<Finding> {
    let (first, second, _) = pairs.first()?;
    let number = pairs.iter().map(|(.., number)| number).sum();
    let (of, verb) = (count(number as u64, what), if number == 1 { "shows" } else { "show" });
    let message = format!("{about}: {of} {verb} {shows}, such as {} and {}: {so}", first.name, second.name);
    Some(Finding { severity: Severity::Warning, message, count: number })
}

/// Warns of images among these that show the same pixels, within a class and of both classes; `about` begins the
/// messages, and `what` is such an image.
pub fn repeated(about: &str, what: &str, images: &[Known<'_>]) -> Vec<Finding> {
    let mut same = BTreeMap::<[u8; 32], [Vec<&Item>; 2]>::new();
    for (item, facts) in images {
        same.entry(facts.pixels).or_default()[usize::from(item.abnormal)].push(item);
    }
    let mut twice: Vec<Pair<'_>> = Vec::new();
    let mut both: Vec<Pair<'_>> = Vec::new();
    for classes in same.values() {
        for items in classes {
            if let [first, second, ..] = items[..] {
                twice.push((first, second, items.len() - 1));
            }
        }
        if let [[normal, ..], [abnormal, ..]] = classes.each_ref().map(Vec::as_slice) {
            both.push((normal, abnormal, 1));
        }
    }
    let twice = told(about, what, &twice, "the same pixels as another one of the class", "they count twice");
    let so = "remove the one of the wrong label";
    twice.into_iter().chain(told(about, what, &both, "the same pixels as one of the other class", so)).collect()
}

/// Warns of images that show nearly the same as another one of these, as they stand.
pub fn nearly_repeated(about: &str, what: &str, images: &[Known<'_>]) -> Option<Finding> {
    let thumbs: Vec<Option<Thumb>> = images.iter().map(|(_, facts)| facts.thumb).collect();
    let earlier = |at: usize| {
        let thumb = thumbs[at]?;
        let is_near = |first: &usize| {
            thumbs[*first].is_some_and(|other| other.is_near(&thumb)) && images[*first].1.pixels != images[at].1.pixels
        };
        (0..at).find(is_near).map(|first| (images[first].0, images[at].0, 1))
    };
    let pairs: Vec<Pair<'_>> = (0..images.len()).into_par_iter().filter_map(earlier).collect();
    told(about, what, &pairs, "nearly the same as another one", "perhaps one picture saved again, which counts twice")
}
