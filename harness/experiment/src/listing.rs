//! A plan as people read it before a run: its variants, its cost, its cells.

use std::collections::HashMap;
use std::fmt;

use harness_method::{Selection, Shots};
use harness_methods::Method;
use harness_text::{bytes, count, group};

use crate::catalogue::EncoderSource;
use crate::plan::{Cell, Plan, Variant};
use crate::planner::SAME_IMAGES;
use crate::spec::TransferObject;

/// A plan for reading.
pub struct Listing<'a> {
    plan: &'a Plan,
    variants: Vec<String>,
    cells: bool,
    time: Option<String>,
}

impl Plan {
    /// The plan for reading: settings, every variant with `*` where it differs from its preset, costs, and with
    /// `cells` a line for each cell.
    pub fn listing(&self, cells: bool) -> Listing<'_> {
        let mut variants = Vec::with_capacity(self.variants.len());
        let mut first = HashMap::with_capacity(self.variants.len());
        for variant in &self.variants {
            let heading = match variant.options.method() {
                Method::Madclip => format!("{} (preset {})", variant.name, variant.preset),
                method => format!("{} ({method}, preset {})", variant.name, variant.preset),
            };
            let twin = *first.entry(variant.options.effective()).or_insert(variant);
            variants.push(if std::ptr::eq(twin, variant) {
                format!("{heading}\n{}", options(variant))
            } else {
                let idle = variant.options.differing(&twin.options);
                let but = if idle.is_empty() {
                    String::new()
                } else {
                    format!(" but for {}, which has no effect on it", idle.join(", "))
                };
                format!("{heading}: the same as {}{but}; its results are shared\n", twin.name)
            });
        }
        Listing { plan: self, variants, cells, time: None }
    }
}

/// A line for each option.
fn options(variant: &Variant) -> String {
    let preset = variant.options.method().preset(&variant.preset);
    let differing = preset.map_or_else(Vec::new, |preset| variant.options.differing(&preset));
    let mut text = String::new();
    for (name, value) in variant.options.shown() {
        let mark = if differing.contains(&name) { '*' } else { ' ' };
        text.push_str(&format!("  {mark} {name:<18}{value}\n"));
    }
    text
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        let smoke = if plan.smoke { " (smoke test: its numbers say nothing about the method)" } else { "" };
        writeln!(f, "experiment  {}{smoke}", plan.name)?;
        plan.notes.iter().try_for_each(|note| writeln!(f, "note        {note}"))?;
        self.encoder(f)?;
        let train = &plan.train;
        let (epochs, batch, rate) = (train.epochs, train.batch, train.learning_rate);
        writeln!(f, "training    {}, batches of {batch}, learning rate {rate}", count(epochs.into(), "epoch"))?;
        for dataset in &plan.datasets {
            let facts = &dataset.facts;
            let masks = if facts.has_masks { "masks" } else { "no masks: only image metrics" };
            let images = count(facts.test_images, "test image");
            writeln!(f, "dataset     {}: {images}, {masks}, object \"{}\"", dataset.name, facts.object)?;
        }
        self.targets(f)?;
        for backend in &plan.backends {
            writeln!(f, "backend     {} {} on {}", backend.name, backend.version, backend.device)?;
        }
        if plan.shots.iter().any(|shots| shots.k().is_none()) {
            let shots: Vec<String> = plan.shots.iter().map(Shots::to_string).collect();
            writeln!(f, "shots       {} (normal+abnormal where they differ)", shots.join(", "))?;
        }
        let rules: Vec<_> = plan.selection.iter().map(|rule| rule.name()).collect();
        writeln!(f, "selection   {}", rules.join(", "))?;
        if plan.selection.contains(&Selection::BestOnTest) {
            writeln!(f, "            best-on-test looks at test labels: optimistic by construction")?;
        }
        writeln!(f, "\nvariants (* differs from the preset)")?;
        self.variants.iter().try_for_each(|variant| f.write_str(variant))?;
        self.costs(f)?;
        if self.cells { self.table(f) } else { Ok(()) }
    }
}

impl Listing<'_> {
    /// Adds how long it takes on this machine, in words: a plan does not know machines.
    #[must_use]
    pub fn with_time(self, time: String) -> Self {
        Self { time: Some(time), ..self }
    }

    fn encoder(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoder = &self.plan.encoder;
        let arch = &encoder.arch;
        match &encoder.source {
            EncoderSource::File { path, .. } => write!(f, "encoder     {}", path.display())?,
            EncoderSource::Synthetic { seed, .. } => write!(f, "encoder     synthetic weights, seed {seed}")?,
        }
        let (precision, store) = (encoder.precision.name(), encoder.store.name());
        write!(f, ": {} blocks of width {}, patches of {} px", arch.layers, arch.width, arch.patch)?;
        writeln!(f, "; computes in {precision}, taps kept in {store}")
    }

    fn targets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        for target in &plan.targets {
            let facts = &target.facts;
            let masks = if facts.has_masks { "masks" } else { "no masks: only image metrics" };
            let images = count(facts.test_images, "test image");
            let object = match plan.transfer_object {
                TransferObject::Target => format!("\"{}\"", facts.object),
                TransferObject::Source => "that of the source".to_owned(),
            };
            writeln!(f, "target      {}: {images}, {masks}, object {object}", target.name)?;
        }
        if plan.targets.is_empty() {
            return Ok(());
        }
        let without: Vec<&str> =
            plan.datasets.iter().filter(|source| !source.facts.has_masks).map(|source| source.name.as_str()).collect();
        if !without.is_empty() {
            let names = without.join(", ");
            writeln!(f, "            trained on {names} (no masks): only detection scores, on any target")?;
        }
        Ok(())
    }

    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, costs) = (self.plan, self.plan.costs());
        let mut factors = vec![
            count(plan.variants.len() as u64, "variant"),
            count(plan.datasets.len() as u64, "dataset"),
            count(plan.shots.len() as u64, "support size"),
            count(plan.draws.len() as u64, "draw"),
            count(plan.seeds.len() as u64, "seed"),
            count(plan.backends.len() as u64, "backend"),
            count(plan.selection.len() as u64, "selection rule"),
        ];
        if !plan.targets.is_empty() {
            factors.insert(2, count(plan.targets.len() as u64, "target"));
        }
        let left_out = plan.product().saturating_sub(costs.cells);
        let repeated = plan.warnings.iter().any(|warning| warning.contains(SAME_IMAGES));
        let who = match (plan.rules.is_empty(), repeated) {
            (true, _) => "of draws that repeat others",
            (false, false) => "that rules leave out",
            (false, true) => "that rules or repeated draws leave out",
        };
        let less = if left_out > 0 { format!(" less {} {who}", group(left_out)) } else { String::new() };
        writeln!(f, "\ncost if nothing were done yet")?;
        writeln!(f, "  cells        {} = {}{less}", group(costs.cells), factors.join(" x "))?;
        let folds = plan.trainings.iter().filter(|training| training.fold.is_some()).count();
        let folds = if folds > 0 { format!("{} of folds, ", group(folds as u64)) } else { String::new() };
        writeln!(f, "  trainings    {} ({folds}{})", group(costs.trainings), count(costs.steps, "step"))?;
        writeln!(f, "  evaluations  {} ({} scored)", group(costs.evaluations), count(costs.scored, "image"))?;
        let encodings = costs.test_encodings.saturating_add(costs.support_encodings);
        writeln!(
            f,
            "  encodings    at most {} ({} test, {} augmented support)",
            group(encodings),
            group(costs.test_encodings),
            group(costs.support_encodings)
        )?;
        if costs.window_encodings > 0 {
            let images = group(costs.window_encodings);
            writeln!(
                f,
                "  windows      at most {images} images, once for each side, at many times an encoding's cost"
            )?;
        }
        writeln!(f, "  taps         at most {} on disk", bytes(costs.tap_bytes))?;
        let (grids, states) = (bytes(costs.grid_bytes), bytes(costs.state_bytes));
        let results = bytes(costs.grid_bytes.saturating_add(costs.state_bytes));
        writeln!(f, "  results      about {results} on disk ({grids} of grids, {states} of states), and figures")?;
        let work = plan.work();
        let tera = |operations: f64| group((operations / 1e12).ceil() as u64);
        let (encode, train, score) = (tera(work.encode), tera(work.train), tera(work.score));
        writeln!(f, "  work         {encode} Tflop to encode, {train} to train, {score} to score")?;
        self.time.as_ref().map_or(Ok(()), |time| writeln!(f, "  time         {time}"))
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = &self.plan.cells;
        let width = |title: &str, lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0).max(title.len());
        let variant = width("variant", &mut self.plan.variants.iter().map(|variant| variant.name.len()));
        let dataset = width("dataset", &mut cells.iter().map(|cell| dataset_of(cell).len()));
        let backend = width("backend", &mut self.plan.backends.iter().map(|backend| backend.name.len()));
        let draw = width("draw", &mut self.plan.draws.iter().map(|draw| draw.to_string().len()));
        writeln!(
            f,
            "\n{:<16}  {:<variant$}  {:<dataset$}  {:>5}  {:>draw$}  {:>4}  {:<backend$}  selection",
            "cell", "variant", "dataset", "shots", "draw", "seed", "backend"
        )?;
        for cell in cells {
            writeln!(
                f,
                "{}  {:<variant$}  {:<dataset$}  {:>5}  {:>draw$}  {:>4}  {:<backend$}  {}",
                cell.id,
                cell.variant,
                dataset_of(cell),
                cell.shots,
                cell.draw,
                cell.seed,
                cell.backend,
                cell.selection.name()
            )?;
        }
        Ok(())
    }
}

/// Where a cell was trained and scored: one name, or source -> target.
fn dataset_of(cell: &Cell) -> String {
    if cell.trained_on == cell.dataset {
        cell.dataset.clone()
    } else {
        format!("{} -> {}", cell.trained_on, cell.dataset)
    }
}
