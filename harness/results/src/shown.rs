//! Which test images a panel shows.

use crate::Role;

/// An image that [`choose`] can show.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Name of the image.
    pub image: String,
    /// True for an abnormal image.
    pub label: bool,
    /// What abnormal images are ordered by, higher is better: the pixel AP, or without masks the image score.
    pub quality: f64,
    /// The image score, by which the most suspicious normal image is found.
    pub score: f64,
}

/// The best, the median and the worst abnormal image and the normal image with the highest score: their roles and
/// indices in `candidates`. Equals are ordered by name; an image stands once, and one without a value, such as an
/// abnormal image without lesion pixels, not at all.
pub fn choose(candidates: &[Candidate]) -> Vec<(Role, usize)> {
    let ordered = |label: bool, key: fn(&Candidate) -> f64| {
        let has_value = |candidate: &Candidate| candidate.label == label && !key(candidate).is_nan();
        let mut indices: Vec<usize> = (0..candidates.len()).filter(|i| has_value(&candidates[*i])).collect();
        indices.sort_by(|a, b| {
            let (a, b) = (&candidates[*a], &candidates[*b]);
            key(b).total_cmp(&key(a)).then_with(|| a.image.cmp(&b.image))
        });
        indices
    };
    let abnormal = ordered(true, |c| c.quality);
    let mut chosen: Vec<(Role, usize)> = Vec::new();
    // Of few images the extremes say more than the one between them.
    for (role, index) in [
        (Role::Best, abnormal.first()),
        (Role::Worst, abnormal.last()),
        (Role::Median, abnormal.get(abnormal.len() / 2)),
        (Role::HighestNormal, ordered(false, |c| c.score).first()),
    ] {
        if let Some(index) = index
            && chosen.iter().all(|(_, other)| other != index)
        {
            chosen.push((role, *index));
        }
    }
    chosen.sort();
    chosen
}
