//! What a report says of an experiment beside its numbers: how it was run, on how many images, and what each variant
//! is.

use harness_experiment::{EncoderSource, Plan, Variant};
use harness_method::{Shots, Side};
use harness_methods::Method;
use harness_records::{Entry, Folder, Provenance, journal};
use harness_text::{count, date, seconds};

use crate::families::base;

/// How the experiment was run, a name and a value each, in the order to print.
pub(crate) fn provenance(plan: &Plan, folder: &Folder, provenance: &Provenance) -> Vec<(String, String)> {
    let encoder = match &plan.encoder.source {
        EncoderSource::File { path, .. } => {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        }
        EncoderSource::Synthetic { seed, .. } => format!("synthetic, seed {seed}"),
    };
    let backends = plan.backends.iter().map(|b| format!("{} {} on {}", b.name, b.version, b.device));
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    if !provenance.command.is_empty() {
        line("command", format!("`{}`", provenance.command));
    }
    if let Some(computed) = computed(folder) {
        line("computed", computed);
    }
    line("test images", test_images(plan));
    line("support images", support_images(plan));
    line("harness", provenance.harness.clone());
    line("encoder", format!("{encoder} (BLAKE3 {})", plan.encoder.weights));
    line("backends", backends.collect::<Vec<_>>().join(", "));
    line("processor", provenance.cpu_level.clone());
    line(
        "training",
        format!(
            "{} epochs, batches of {}, learning rate {}; epochs count from 0",
            plan.train.epochs, plan.train.batch, plan.train.learning_rate
        ),
    );
    if provenance.allow_overlap {
        line("overlap", "support and test images were allowed to overlap".to_owned());
    }
    lines
}

/// When the records were made and how long that took; `None` where the journal does not know.
fn computed(folder: &Folder) -> Option<String> {
    let entries = journal::entries(&folder.journal()).ok()?.known;
    let (mut first, mut last, mut took, mut before) = (u64::MAX, 0, 0.0, None);
    for entry in entries {
        if let Entry::Completed { at, secs, .. } = entry {
            (first, last) = (first.min(at), last.max(at));
            // Evaluations that were made together have the time of that in common.
            if before.replace(secs.to_bits()) != Some(secs.to_bits()) {
                took += secs;
            }
        }
    }
    // Seconds say nothing of a day.
    let minute = |at: u64| date(at / 60 * 60).replace(":00 UTC", " UTC");
    let (from, to) = (minute(first), minute(last));
    let when = if from == to { from } else { format!("{from} to {to}") };
    (first <= last).then(|| format!("{when}, {} of training and scoring", seconds(took)))
}

fn test_images(plan: &Plan) -> String {
    let sets = if plan.targets.is_empty() { &plan.datasets } else { &plan.targets };
    let each: Vec<String> = sets.iter().map(|set| format!("{} {}", set.name, set.facts.test_images)).collect();
    each.join(", ")
}

fn support_images(plan: &Plan) -> String {
    let each = |shots: &Shots| {
        let [normal, abnormal] = [Side::Normal, Side::Abnormal].map(|side| shots.of(side));
        format!("K = {shots}: {normal} normal and {abnormal} abnormal")
    };
    let sets: Vec<String> = plan.shots.iter().map(each).collect();
    let (draws, seeds) = (count(plan.draws.len() as u64, "draw"), count(plan.seeds.len() as u64, "seed"));
    format!("{}; {draws}, {seeds}", sets.join("; "))
}

/// What each variant is: of the base the preset and what differs from that, of others what differs from the base.
pub(crate) fn variants(plan: &Plan) -> Vec<String> {
    let base = base(plan).and_then(|index| plan.variants.get(index));
    plan.variants.iter().map(|variant| described(variant, base)).collect()
}

fn described(variant: &Variant, base: Option<&Variant>) -> String {
    let Variant { preset, options, .. } = variant;
    let method = options.method();
    let of_base = base.filter(|base| base.name != variant.name && base.options.method() == method);
    let (from, differing) = match of_base {
        Some(base) => (format!("`{}`", base.name), options.differing(&base.options)),
        None => {
            let preset_options = method.preset(preset);
            let differing = preset_options.map_or_else(Vec::new, |preset| options.differing(&preset));
            let from = format!("preset `{preset}`");
            (if method == Method::Madclip { from } else { format!("method `{method}`, {from}") }, differing)
        }
    };
    let values: Vec<String> = options
        .shown()
        .into_iter()
        .filter(|(name, _)| differing.contains(name))
        .map(|(name, value)| format!("`{name} = {}`", value.trim()))
        .collect();
    match (values.is_empty(), of_base) {
        (false, _) => format!("{from} with {}", values.join(", ")),
        (true, Some(_)) => format!("the same options as {from}"),
        (true, None) => from,
    }
}
