//! Bins of pixel scores: where they begin and which one a score falls into.
//!
//! Bins follow the pixels of one evaluation, not a fixed scale: whatever range a model's scores have, each bin holds a
//! small share of the lesion pixels and a small share of the normal ones that score among them. A model with scores
//! that all lie close together is measured as finely as any other.

use crate::order::{key, score};
use crate::sweep::Step;

/// Cells of the table from keys to bins, as a power of two.
const CELL_BITS: u32 = 14;

/// Bins of scores. Bin 0 lies below the first edge, bin i from edge i - 1 on to before edge i.
#[derive(Debug)]
pub(crate) struct Bins {
    /// Keys of the edges, ascending, and one that no score reaches.
    edges: Vec<u32>,
    /// The last edge less the first.
    span: u32,
    /// A key's cell is its distance from the first edge, shifted by this.
    shift: u32,
    /// How many edges lie at or below the first key of each cell.
    cells: Vec<u16>,
}

impl Bins {
    /// Bins between edges, which must ascend strictly and be at least one and at most [`u16::MAX`].
    pub(crate) fn new(edges: &[f32]) -> Self {
        let mut edges: Vec<u32> = edges.iter().map(|&edge| key(edge)).collect();
        let (first, last) = (edges[0], edges[edges.len() - 1]);
        let span = last - first;
        let shift = (u32::BITS - span.leading_zeros()).saturating_sub(CELL_BITS);
        let below = |cell| edges.partition_point(|edge| *edge <= first + (cell << shift)) as u16;
        let cells = (0..=span >> shift).map(below).collect();
        edges.push(u32::MAX);
        Self { edges, span, shift, cells }
    }

    /// How many bins there are.
    pub(crate) fn count(&self) -> usize {
        self.edges.len()
    }

    /// The bin of a score, which must not be NaN.
    #[inline(always)]
    pub(crate) fn of(&self, score: f32) -> usize {
        let key = key(score);
        if key < self.edges[0] {
            return 0;
        }
        let distance = (key - self.edges[0]).min(self.span);
        let mut bin = usize::from(self.cells[(distance >> self.shift) as usize]);
        // Few cells hold an edge, and hardly any holds two.
        while self.edges[bin] <= key {
            bin += 1;
        }
        bin
    }
}

/// Which bins between some edges hold one score alone, from bin 0 on.
pub(crate) fn single_scores(edges: &[f32]) -> Vec<bool> {
    let within = edges.windows(2).map(|pair| key(pair[0]) + 1 == key(pair[1]));
    std::iter::once(false).chain(within).chain(std::iter::once(false)).collect()
}

/// Chooses edges while a sweep goes by, from the highest score down.
#[derive(Debug)]
pub(crate) struct EdgeChoice {
    /// What a bin may hold: its share of the lesion pixels and its share of the normal pixels, added.
    most: f64,
    lesion_share: f64,
    normal_share: f64,
    held: f64,
    lowest: Option<u32>,
    /// Descending.
    edges: Vec<u32>,
}

impl EdgeChoice {
    /// About `bins` bins for so many pixels of both classes; no number may be 0. There are three more that are not
    /// filled by shares: the one below all lesions, the one above them and the last one among them. A single score that
    /// fills half a bin has one for itself, which can make the number five times as large.
    pub(crate) fn new(bins: usize, normal: u64, abnormal: u64) -> Self {
        // Both shares sum to 1.
        let most = 2.0 / bins as f64;
        let (lesion_share, normal_share) = (1.0 / abnormal as f64, 1.0 / normal as f64);
        Self { most, lesion_share, normal_share, held: 0.0, lowest: None, edges: Vec::new() }
    }

    /// The next distinct lesion score, by its key.
    pub(crate) fn push(&mut self, key: u32, step: Step) {
        if self.lowest.is_none() && step.normal_between > 0 {
            // What scores more than any lesion is a bin by itself.
            self.edge(key + 1);
        } else {
            self.held += step.normal_between as f64 * self.normal_share;
        }
        let tied = step.normal_tied as f64 * self.normal_share + step.abnormal as f64 * self.lesion_share;
        let alone = tied >= self.most / 2.0;
        if alone {
            self.edge(key + 1);
        }
        self.held += tied;
        self.lowest = Some(key);
        if alone || self.held >= self.most {
            self.edge(key);
        }
    }

    fn edge(&mut self, key: u32) {
        if self.edges.last() != Some(&key) {
            self.edges.push(key);
        }
        self.held = 0.0;
    }

    /// The edges, ascending. What scores less than any lesion is below the first.
    pub(crate) fn finish(mut self) -> Vec<f32> {
        if let Some(lowest) = self.lowest.filter(|lowest| self.edges.last() != Some(lowest)) {
            self.edges.push(lowest);
        }
        self.edges.iter().rev().map(|&edge| score(edge)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_falls_into_the_bin_that_begins_at_or_below_it() {
        let edges = [-3.0, -1e-30, 0.0, 0.1, 0.100_000_01, 0.5, 0.500_1, 2.0, 1e20];
        for edges in [&edges[..], &edges[..1], &edges[3..5]] {
            let bins = Bins::new(edges);
            assert_eq!(bins.count(), edges.len() + 1);
            let near = edges.iter().flat_map(|edge| [*edge, edge.next_up(), edge.next_down(), edge + 0.01]);
            for score in near.chain([f32::MIN, f32::MAX, -0.0, 0.3]) {
                assert_eq!(bins.of(score), edges.iter().filter(|edge| **edge <= score).count(), "{score} in {edges:?}");
            }
        }
    }

    #[test]
    fn bins_hold_small_shares_of_both_classes() {
        let step = |normal_between| Step { normal_between, normal_tied: 1, abnormal: 1, weight: 0.0 };
        let (lesions, bins) = (4000, 64);
        let between = |i: u32| u64::from(i / 100);
        let normal: u64 = (0..lesions).map(|i| between(i) + 1).sum();
        let mut choice = EdgeChoice::new(bins, normal, u64::from(lesions));
        for i in 0..lesions {
            choice.push(key(4000.0 - i as f32), step(between(i)));
        }
        let edges = choice.finish();
        assert!(edges.len() < bins + 3 && edges.len() > bins / 2, "{}", edges.len());
        assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(edges[0], 1.0);
    }

    #[test]
    fn normal_pixels_above_all_lesions_are_a_bin_by_themselves() {
        let mut choice = EdgeChoice::new(8, 10, 1);
        choice.push(key(2.0), Step { normal_between: 3, normal_tied: 0, abnormal: 1, weight: 0.0 });
        assert_eq!(choice.finish(), [2.0, 2.0_f32.next_up()]);
    }
}
