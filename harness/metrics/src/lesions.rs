//! Scores of lesion pixels, sorted, and how many normal pixels lie between and on them: all that a sweep needs, without
//! sorting or keeping normal pixels.
//!
//! The cost of exact pixel metrics is the normal pixels, some hundred million. Each has to find its rank among the
//! distinct lesion scores, a few million, and one search after the other would miss the cache at every step. So the
//! range of lesion scores is cut into buckets of about [`BUCKET`] distinct scores, normal pixels wait in one short
//! queue a bucket, and a full queue is searched at once while its bucket lies in the cache. Counts are integers and
//! additions commute, so neither threads nor the order of queues show in a result.
//!
//! Memory: 28 bytes a lesion pixel (8 for the score and its region's size, 4 for its key, 16 for two counts), and up to
//! 17 MB a thread for queues. Normal pixels take none.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::order::key;
use crate::sweep::Step;

/// Distinct lesion scores a bucket: keys and counts are 40 KB, which a second-level cache holds.
const BUCKET: usize = 2048;
/// More lesion pixels make larger buckets, not more of them.
const MOST_BUCKETS: usize = 4096;
/// Normal pixels that wait for a bucket.
const QUEUE: usize = 1024;
/// Cells of the table from scores to buckets, as a power of two.
const CELL_BITS: u32 = 16;

/// A lesion pixel's score and its region's size as one integer that sorts by score.
#[inline(always)]
pub(crate) fn lesion_score(score: f32, region_size: u32) -> u64 {
    u64::from(key(score)) << 32 | u64::from(region_size)
}

/// Sorted lesion scores with the counts of normal pixels.
pub(crate) struct LesionScores {
    /// As [`lesion_score`] makes them, ascending. Equal ones are interchangeable, so a sum in this order is fixed.
    scores: Vec<u64>,
    /// Distinct keys, ascending.
    keys: Vec<u32>,
    first: u32,
    /// The last key less the first.
    span: u32,
    /// A key's cell is its distance from the first, shifted by this.
    shift: u32,
    /// The bucket of each cell.
    cells: Vec<u16>,
    buckets: Vec<Bucket>,
    outside: Mutex<Outside>,
}

/// Neighbouring distinct lesion scores.
struct Bucket {
    keys: Range<usize>,
    /// Normal pixels at 2 i between key i - 1 and key i, at 2 i + 1 on key i; the last one above all keys of the
    /// bucket.
    counts: Mutex<Vec<u64>>,
}

/// Normal pixels below and above all lesions.
#[derive(Clone, Copy, Default)]
struct Outside {
    below: u64,
    above: u64,
}

impl LesionScores {
    /// Sorts lesion scores, of which there must be one at least.
    pub(crate) fn new(mut scores: Vec<u64>) -> Self {
        scores.par_sort_unstable();
        let mut keys: Vec<u32> = scores.iter().map(|score| (score >> 32) as u32).collect();
        keys.dedup();
        let (first, last) = (keys.first().copied().unwrap_or(0), keys.last().copied().unwrap_or(0));
        let span = last - first;
        // A few keys need no large table.
        let bits = CELL_BITS.min(keys.len().max(1).ilog2() + 2);
        let shift = (u32::BITS - span.leading_zeros()).saturating_sub(bits);
        let (cells, buckets) = partition(&keys, first, span, shift);
        Self { scores, keys, first, span, shift, cells, buckets, outside: Mutex::default() }
    }

    /// Counts normal pixels; one counter a thread.
    pub(crate) fn counter(&self) -> Counter<'_> {
        Counter {
            lesions: self,
            queues: vec![0; self.buckets.len() * QUEUE],
            lengths: vec![0; self.buckets.len()],
            outside: Outside::default(),
        }
    }

    /// Normal pixels that score less than any lesion.
    pub(crate) fn normal_below(&self) -> u64 {
        lock(&self.outside).below
    }

    /// The steps of a sweep with the keys of their scores, highest first. Normal pixels below all lesions are in no
    /// step.
    pub(crate) fn for_each_step(&self, mut step: impl FnMut(u32, Step)) {
        let mut tied = self.scores.chunk_by(|a, b| a >> 32 == b >> 32).rev();
        let mut between = lock(&self.outside).above;
        for bucket in self.buckets.iter().rev() {
            let counts = lock(&bucket.counts);
            between += counts[2 * bucket.keys.len()];
            for (i, lesions) in (0..bucket.keys.len()).rev().zip(&mut tied) {
                let found = Step {
                    normal_between: between,
                    normal_tied: counts[2 * i + 1],
                    abnormal: lesions.len() as u64,
                    weight: lesions.iter().map(|&lesion| 1.0 / f64::from(lesion as u32)).sum(),
                };
                step((lesions[0] >> 32) as u32, found);
                between = counts[2 * i];
            }
        }
    }
}

/// Cuts the distinct keys into buckets of whole cells: the bucket of each cell, and the buckets.
fn partition(keys: &[u32], first: u32, span: u32, shift: u32) -> (Vec<u16>, Vec<Bucket>) {
    let target = BUCKET.max(keys.len() / MOST_BUCKETS);
    let mut cells = Vec::with_capacity((span >> shift) as usize + 1);
    let mut buckets = Vec::new();
    let (mut start, mut end) = (0, 0);
    for cell in 0..=span >> shift {
        cells.push(buckets.len() as u16);
        end += keys[end..].partition_point(|key| (key - first) >> shift <= cell);
        if end - start >= target || end == keys.len() {
            buckets.push(Bucket { keys: start..end, counts: Mutex::new(vec![0; 2 * (end - start) + 1]) });
            start = end;
        }
    }
    (cells, buckets)
}

/// Puts normal pixels where they belong among lesion scores. Counts arrive with [`Counter::finish`] at the latest.
pub(crate) struct Counter<'a> {
    lesions: &'a LesionScores,
    queues: Vec<u32>,
    lengths: Vec<usize>,
    outside: Outside,
}

impl Counter<'_> {
    /// Counts normal pixels; their scores must not be NaN.
    pub(crate) fn count(&mut self, scores: &[f32]) {
        let LesionScores { first, span, shift, ref cells, .. } = *self.lesions;
        for &score in scores {
            let key = key(score);
            let distance = key.wrapping_sub(first);
            if distance > span {
                if key < first {
                    self.outside.below += 1;
                } else {
                    self.outside.above += 1;
                }
                continue;
            }
            let bucket = usize::from(cells[(distance >> shift) as usize]);
            let length = self.lengths[bucket];
            self.queues[bucket * QUEUE + length] = key;
            self.lengths[bucket] = length + 1;
            if length + 1 == QUEUE {
                self.empty_queue(bucket);
            }
        }
    }

    /// Counts what still waits.
    pub(crate) fn finish(mut self) {
        for bucket in 0..self.lengths.len() {
            if self.lengths[bucket] > 0 {
                self.empty_queue(bucket);
            }
        }
        let mut outside = lock(&self.lesions.outside);
        outside.below += self.outside.below;
        outside.above += self.outside.above;
    }

    fn empty_queue(&mut self, bucket: usize) {
        let waiting = &self.queues[bucket * QUEUE..][..self.lengths[bucket]];
        let bucket_keys = &self.lesions.keys[self.lesions.buckets[bucket].keys.clone()];
        let mut counts = lock(&self.lesions.buckets[bucket].counts);
        let mut count = |key, below: usize| {
            let on = bucket_keys.get(below) == Some(&key);
            counts[2 * below + usize::from(on)] += 1;
        };
        let (groups, rest) = waiting.as_chunks();
        for keys in groups {
            let below = ranks(bucket_keys, keys);
            keys.iter().zip(below).for_each(|(&key, below)| count(key, below));
        }
        for &key in rest {
            count(key, bucket_keys.partition_point(|&lesion| lesion < key));
        }
        self.lengths[bucket] = 0;
    }
}

/// How many of some sorted keys are less than each of eight others. A binary search is a chain of steps that wait for
/// memory; eight of them side by side wait together.
fn ranks(sorted: &[u32], keys: &[u32; 8]) -> [usize; 8] {
    let mut below = [0; 8];
    let mut length = sorted.len();
    while length > 1 {
        let half = length / 2;
        for (below, key) in below.iter_mut().zip(keys) {
            *below += std::hint::select_unpredictable(sorted[*below + half - 1] < *key, half, 0);
        }
        length -= half;
    }
    for (below, key) in below.iter_mut().zip(keys) {
        *below += usize::from(sorted[*below] < *key);
    }
    below
}

/// The counts behind a lock hold whole additions only, so a panic elsewhere leaves nothing broken.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
