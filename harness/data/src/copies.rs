//! Pictures that are there more than once: pixel by pixel, or nearly so, saved again with loss, resized, made brighter,
//! mirrored or turned.

use std::collections::BTreeMap;

use harness_text::count;
use rayon::prelude::*;

use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::inspect::named;
use crate::item::Item;
use crate::thumb::Thumb;

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
