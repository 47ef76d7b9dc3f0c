//! Which test images a panel shows.

use std::cmp::Ordering;

/// What [`choose`] looks at, an image each.
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

/// The best, the median and the worst abnormal image and the normal image with the highest score: their roles (`best`, `median`,
/// `worst`, `highest normal`) and places in `candidates`. Equals are ordered by name; an image stands once.
pub fn choose(candidates: &[Candidate]) -> Vec<(&'static str, usize)> {
    let ordered = |label: bool, key: fn(&Candidate) -> f64| {
        let mut places: Vec<usize> = (0..candidates.len()).filter(|i| candidates[*i].label == label).collect();
        places.sort_by(|a, b| {
            let (a, b) = (&candidates[*a], &candidates[*b]);
            key(b).partial_cmp(&key(a)).unwrap_or(Ordering::Equal).then_with(|| a.image.cmp(&b.image))
        });
        places
    };
    let abnormal = ordered(true, |c| c.quality);
    let mut chosen: Vec<(&'static str, usize)> = Vec::new();
    for (role, place) in [
        ("best", abnormal.first()),
        ("worst", abnormal.last()),
        ("median", abnormal.get(abnormal.len() / 2)),
        ("highest normal", ordered(false, |c| c.score).first()),
    ] {
        if let Some(place) = place
            && chosen.iter().all(|(_, other)| other != place)
        {
            chosen.push((role, *place));
        }
    }
    let rank = |role: &str| ["best", "median", "worst", "highest normal"].iter().position(|r| *r == role);
    chosen.sort_by_key(|(role, _)| rank(role));
    chosen
}
