//! How an experiment is joined to published numbers: published names of its datasets, and variants that are a published
//! method.

use harness_data::Registry;
use harness_experiment::{EncoderSource, Method, Plan};
use harness_method::Preset;

use crate::input::ReportDataset;

/// The datasets of a plan in its order, with their published names where the registry has them.
pub(crate) fn datasets(plan: &Plan, registry: Option<&Registry>) -> Vec<ReportDataset> {
    let mut found: Vec<ReportDataset> = Vec::new();
    for dataset in plan.datasets.iter().chain(&plan.targets) {
        if found.iter().all(|known| known.name != dataset.name) {
            let entry = registry.and_then(|registry| registry.get(&dataset.name).ok());
            found.push(ReportDataset {
                name: dataset.name.clone(),
                masks: dataset.facts.has_masks,
                published: entry.and_then(|entry| entry.published_name.clone()),
            });
        }
    }
    found
}

/// Variants that are the method as published: every option as released, on a ViT-L/14 from a file, trained as released
/// (docs/method.md sections 7 and 9). The weights are not compared with OpenAI's.
pub(crate) fn methods(plan: &Plan) -> Vec<(String, String)> {
    let (train, arch) = (&plan.train, &plan.encoder.arch);
    let trained = (train.epochs, train.batch, train.learning_rate) == (60, 16, 1e-3);
    let large = (arch.patch, arch.width, arch.layers, arch.embed) == (14, 1024, 24, 768);
    if plan.smoke || !trained || !large || !matches!(plan.encoder.source, EncoderSource::File { .. }) {
        return Vec::new();
    }
    let released = Preset::Released.options();
    let same = plan.variants.iter().filter(|variant| variant.options.madclip() == Some(&released));
    same.map(|variant| (variant.name.clone(), Method::Madclip.published_name().to_owned())).collect()
}
