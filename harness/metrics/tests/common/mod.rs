//! The definitions of docs/method.md section 8, written down as plainly as possible, to compare with. Not meant to be
//! fast.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

/// Share of (abnormal, normal) pairs in the right order, a tie counting half.
pub fn auroc(labels: &[bool], scores: &[f64]) -> f64 {
    let of =
        |class: bool| labels.iter().zip(scores).filter(move |(label, _)| **label == class).map(|(_, score)| *score);
    let (mut won, mut pairs) = (0.0, 0.0);
    for abnormal in of(true) {
        for normal in of(false) {
            pairs += 1.0;
            won += if abnormal > normal { 1.0 } else { 0.0 } + if abnormal == normal { 0.5 } else { 0.0 };
        }
    }
    won / pairs
}

/// (true positives, false positives) at every distinct score, highest first.
pub fn counts(labels: &[bool], scores: &[f64]) -> Vec<(f64, f64)> {
    let at_or_above = |class: bool, threshold: f64| {
        labels.iter().zip(scores).filter(|(label, score)| **label == class && **score >= threshold).count() as f64
    };
    thresholds(scores).into_iter().map(|t| (at_or_above(true, t), at_or_above(false, t))).collect()
}

/// Sum over distinct thresholds of (recall gained) x (precision).
pub fn average_precision(labels: &[bool], scores: &[f64]) -> f64 {
    let abnormal = labels.iter().filter(|label| **label).count() as f64;
    let (mut sum, mut before) = (0.0, 0.0);
    for (tp, fp) in counts(labels, scores) {
        sum += (tp - before) / abnormal * tp / (tp + fp);
        before = tp;
    }
    sum
}

/// The largest 2 P R / (P + R) over all distinct thresholds.
pub fn f1_max(labels: &[bool], scores: &[f64]) -> f64 {
    let abnormal = labels.iter().filter(|label| **label).count() as f64;
    let f1 = |(tp, fp): (f64, f64)| {
        let (precision, recall) = (tp / (tp + fp), tp / abnormal);
        2.0 * precision * recall / (precision + recall).max(1e-300)
    };
    counts(labels, scores).into_iter().map(f1).fold(0.0, f64::max)
}

/// Per-region overlap as in `reference/evaluation.py`: one point for each distinct score of any pixel.
pub fn pro(masks: &[u8], maps: &[f32], width: usize, height: usize) -> f64 {
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
    let mut regions = Vec::new();
    for (mask, map) in masks.chunks(width * height).zip(maps.chunks(width * height)) {
        let labels = flood_fill(mask, width);
        for region in 1..=labels.iter().copied().max().unwrap_or(0) {
            let inside = labels.iter().zip(map).filter(|(label, _)| **label == region);
            regions.push(sorted(inside.map(|(_, score)| f64::from(*score) + 0.0).collect()));
        }
    }
    let outside = masks.iter().zip(maps).filter(|(mask, _)| **mask == 0);
    let normal = sorted(outside.map(|(_, score)| f64::from(*score) + 0.0).collect());
    let share = |values: &[f64], t: f64| 1.0 - values.partition_point(|value| *value < t) as f64 / values.len() as f64;
    let (limit, mut area, mut last) = (0.3, 0.0, (0.0, 0.0));
    for t in thresholds(&maps.iter().map(|score| f64::from(*score)).collect::<Vec<_>>()) {
        let overlap = regions.iter().map(|region| share(region, t)).sum::<f64>() / regions.len() as f64;
        let point = (share(&normal, t), overlap);
        if point.0 > limit {
            let cut = last.1 + (point.1 - last.1) * (limit - last.0) / (point.0 - last.0);
            return (area + (limit - last.0) * (last.1 + cut) / 2.0) / limit;
        }
        area += (point.0 - last.0) * (last.1 + point.1) / 2.0;
        last = point;
    }
    area / limit
}

/// Region numbers from 1 in the order of their first pixels, 0 outside.
pub fn flood_fill(mask: &[u8], width: usize) -> Vec<u32> {
    let (mut labels, mut count) = (vec![0; mask.len()], 0);
    for seed in 0..mask.len() {
        if mask[seed] == 0 || labels[seed] != 0 {
            continue;
        }
        count += 1;
        let mut open = vec![seed];
        while let Some(at) = open.pop() {
            if mask[at] == 0 || labels[at] != 0 {
                continue;
            }
            labels[at] = count;
            let (x, y) = (at % width, at / width);
            for ny in y.saturating_sub(1)..(y + 2).min(mask.len() / width) {
                open.extend((x.saturating_sub(1)..(x + 2).min(width)).map(|nx| ny * width + nx));
            }
        }
    }
    labels
}

/// SplitMix64 as uniform numbers in 0..1.
pub struct Uniform(pub u64);

impl Uniform {
    pub fn draw(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
    }
}

/// Distinct scores, highest first.
fn thresholds(scores: &[f64]) -> Vec<f64> {
    let mut scores: Vec<f64> = scores.iter().map(|score| score + 0.0).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.dedup();
    scores
}
