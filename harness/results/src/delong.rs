//! DeLong's test of image AUROC between a variant and the base, a row for each pair of trainings. The test knows only
//! the test images of two trainings, so it says nothing about other draws and seeds.

use std::collections::BTreeMap;

use harness_metrics::{Metric, delong};
use harness_tables::DeLongRow;
use rayon::prelude::*;

use crate::error::Error;
use crate::families::{Compared, Condition, DatasetPair, Families, FamilyKey, Member};

/// The list of all pairs, ordered as tables are.
///
/// # Errors
/// Scores that can't be read.
pub(crate) fn rows(all: &Families<'_>, base: Option<usize>) -> Result<Vec<DeLongRow>, Error> {
    let Some(base) = base else { return Ok(Vec::new()) };
    let families = all.families.iter().filter(|(key, _)| key.metric == Metric::ImageAuroc);
    let mut all_compared: Vec<(DatasetPair, FamilyKey, &Compared<'_>)> = families
        .flat_map(|(key, family)| family.datasets.iter().map(|(datasets, compared)| (*datasets, *key, compared)))
        .collect();
    all_compared.sort_by_key(|(datasets, key, _)| (*datasets, *key));
    let made: Vec<Result<Vec<DeLongRow>, Error>> = all_compared
        .par_iter()
        .map(|(datasets, key, compared)| with_base(all, base, *datasets, *key, compared))
        .collect();
    let mut rows = Vec::new();
    for made in made {
        rows.extend(made?);
    }
    Ok(rows)
}

/// The pairs of each variant with the base on one dataset.
fn with_base(
    all: &Families<'_>,
    base: usize,
    datasets: DatasetPair,
    key: FamilyKey,
    compared: &Compared<'_>,
) -> Result<Vec<DeLongRow>, Error> {
    let Some(bases) = compared.variants.get(&base) else { return Ok(Vec::new()) };
    let mut of_base = BTreeMap::new();
    for member in bases {
        if let Some(scored) = Scored::read(member, key)? {
            of_base.insert((member.draw, member.seed), scored);
        }
    }
    let (dataset, trained_on) = all.names.condition(Condition::On(datasets));
    let mut rows = Vec::new();
    for (variant, members) in compared.variants.iter().filter(|(variant, _)| **variant != base) {
        for member in members {
            let Some(base_scored) = of_base.get(&(member.draw, member.seed)) else { continue };
            let Some(scored) = Scored::read(member, key)? else { continue };
            // One was measured with other labels; the next run measures it again.
            if scored.labels != base_scored.labels {
                continue;
            }
            let test = match delong(&scored.labels, &scored.scores, &base_scored.scores) {
                Ok(test) => test,
                Err(harness_metrics::Error::TooFew { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            rows.push(DeLongRow {
                variant: all.names.variants[*variant].clone(),
                base: all.names.variants[base].clone(),
                dataset: dataset.clone(),
                trained_on: trained_on.clone(),
                shots: all.names.shots[key.shots],
                draw: member.draw,
                seed: member.seed,
                backend: all.names.backends[key.backend].clone(),
                selection: all.names.selection[key.selection],
                image_score: key.score,
                auroc: test.aurocs[0],
                base_auroc: test.aurocs[1],
                p: test.p,
            });
        }
    }
    Ok(rows)
}

/// Labels and scores of a training's test images.
struct Scored {
    labels: Vec<bool>,
    scores: Vec<f32>,
}

impl Scored {
    /// `None` where they were not stored.
    fn read(member: &Member<'_>, key: FamilyKey) -> Result<Option<Self>, Error> {
        let (Some(index), Some(score)) = (member.replicates, key.score) else { return Ok(None) };
        let mut file = index.file()?;
        let Some(scores) = file.scores(member.epoch, score)? else { return Ok(None) };
        Ok(Some(Self { labels: file.labels()?, scores }))
    }
}
