//! The job that scores a test set with states of a training: grids and image scores into the evaluations' folders.
//! Labels are copied for readers of the tables and decide nothing; no metric is computed here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use harness_disk::stop;
use harness_experiment::Training;
use harness_method::{Combine, Layout, Link};
use harness_metrics::{GridMaps, joined_scores, map_maxima};
use harness_records::{
    Cost, EvaluationRecord, Grids, SecondPart, StateTensor, StoredFormat, state, state_file, write_toml,
};
use harness_tables::{ScoreRow, write_scores};

use crate::encoding::{Encoding, finish, writers};
use crate::error::Error;
use crate::events::Events;
use crate::held::Held;
use crate::lab::Lab;
use crate::protocol::{Phase, Task};
use crate::referee::Sample;
use crate::scorer::Scorer;
use crate::test_set::TestSet;

/// Batches whose taps are held at once where the store has no room for all: each is scored by every state before the
/// next is encoded.
const STREAMED_BATCHES: usize = 4;

/// Scores of all images by one state.
struct EpochScores {
    detection: Vec<f32>,
    /// The second score, where two are joined; else empty.
    few: Vec<f32>,
    /// Empty where there are no maps, or where those of two parts are joined.
    map_max: Vec<f32>,
}

/// An evaluation and its grid file.
struct Target<'a> {
    task: &'a Task,
    grids: Option<File>,
}

/// Scores the images of some evaluations, the same for all, with the states in `states`, and fills their folders.
pub(crate) fn evaluate(
    lab: &mut Lab,
    tests: &mut Vec<TestSet>,
    training: &Training,
    states: &Path,
    tasks: &[Task],
    events: &mut Events,
) -> Result<Cost, Error> {
    let start = Instant::now();
    let Some(first) = tasks.first().map(|task| &task.evaluation) else { return Ok(Cost::default()) };
    let encodings = Encoding::all(training)?;
    let known = match tests.iter().position(|test| test.is(first, training, &encodings)) {
        Some(known) => known,
        None => {
            tests.push(TestSet::list(lab, first, training, &encodings)?);
            tests.len() - 1
        }
    };
    let test = &mut tests[known];
    let count = test.items.len();
    let size = training.options.image_size();
    let grid = training.arch.grid(size);
    // How two parts are joined may differ from target to target; what is scored does not.
    let layout_of_maps = training.options.maps(training.has_masks);
    let joined = training.options.joins_scores().is_some();
    let one = match layout_of_maps {
        Some(Layout::One(part)) => Some(part),
        _ => None,
    };
    let maps = layout_of_maps.is_some();
    let mut targets = tasks.iter().map(|task| Target::open(task, maps)).collect::<Result<Vec<_>, _>>()?;
    let epochs: BTreeSet<u32> = tasks.iter().flat_map(|task| task.epochs.iter().copied()).collect();
    let store = std::rc::Rc::clone(&lab.store);
    let images = if first.on_fold { "support" } else { "test" };
    let mut writers = writers(&store, &encodings, count, &format!("{} {images}", first.dataset))?;
    let stored = !writers.is_empty();
    let batch = first.batch.max(1) as usize;
    // With taps in the store, state by state; else batch by batch, so that nothing is encoded twice.
    let (groups, at_once): (Vec<Vec<u32>>, usize) = if stored {
        (epochs.iter().map(|&epoch| vec![epoch]).collect(), batch)
    } else {
        (vec![epochs.iter().copied().collect()], batch * STREAMED_BATCHES)
    };
    let layout = state::initial(training);
    let mut scorers = States { training, states, layout: &layout, scorer: None };
    let mut held = Held::for_states(epochs.len());
    let mut sample = Sample::new(lab, count, epochs.last().copied());
    let mut scores: BTreeMap<u32, EpochScores> = BTreeMap::new();
    let (mut compute_secs, mut scored) = (0.0, 0);
    for group in groups {
        for from in (0..count).step_by(at_once) {
            let range = from..(from + at_once).min(count);
            let mut read = |lab: &mut Lab| test.tensors(lab, training, &encodings, range.clone(), &mut writers);
            let mut tensors = Vec::new();
            if scorers.read_taps() || !held.covers(range.clone(), batch) {
                tensors = match read(lab) {
                    Err(error) => {
                        scorers.give_up(lab, &mut held, error)?;
                        read(lab)?
                    }
                    Ok(tensors) => tensors,
                };
            }
            let begun = Instant::now();
            for &epoch in &group {
                let scorer = scorers.at(lab, epoch, &first.object)?;
                let into = scores.entry(epoch).or_insert_with(|| EpochScores::new(count, joined, one.is_some()));
                for at in range.clone().step_by(batch) {
                    let n = batch.min(range.end - at);
                    held.hold(lab, scorer.trainer(), at, &part(&tensors, &range, at, n), n)?;
                    let called = Instant::now();
                    let taps = part(&tensors, &range, at, n);
                    let found = match scorer.score(lab, training, held.of(at), &taps, n) {
                        Err(error) => {
                            held.give_up(lab, scorer.trainer(), error)?;
                            if tensors.is_empty() {
                                tensors = read(lab)?;
                            }
                            scorer.score(lab, training, None, &part(&tensors, &range, at, n), n)?
                        }
                        Ok(found) => found,
                    };
                    lab.spent.score.add(called.elapsed().as_secs_f64(), n);
                    if let Some(sample) = &mut sample {
                        sample.take(epoch, at, n, &part(&tensors, &range, at, n), &found);
                    }
                    into.detection[at..at + n].copy_from_slice(&found.detection);
                    if joined {
                        into.few[at..at + n].copy_from_slice(&found.few);
                    }
                    if let Some(part) = one {
                        let maps = GridMaps::of_part(part, &found.grids, grid, size)?;
                        into.map_max[at..at + n].copy_from_slice(&map_maxima(&maps)?);
                    }
                    if maps {
                        for target in &mut targets {
                            target.write(epoch, at, count, &found.grids, n)?;
                        }
                    }
                    scored += n as u64;
                    events.progress(Phase::Score, (scored, (count * epochs.len()) as u64), lab.encoded());
                }
                if !stored && Some(&epoch) == group.last() {
                    held.release(scorer.trainer())?;
                }
            }
            compute_secs += begun.elapsed().as_secs_f64();
        }
        // After one pass every image's taps are known; the next state reads them from the store, or has them held.
        stop::reached();
        finish(std::mem::take(&mut writers))?;
    }
    test.check(first)?;
    // Its trainer is free before another one scores.
    drop(scorers);
    let check = match sample {
        Some(sample) => Some(sample.check(lab, training, &test.items, states, &first.object)?),
        None => None,
    };
    let cost = lab.cost(compute_secs, start.elapsed().as_secs_f64());
    for target in targets {
        let options = target.task.evaluation.options_of(training);
        let record = EvaluationRecord {
            format: EvaluationRecord::FORMAT,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            image_size: size,
            taps: layout_of_maps.map_or(0, |layout| layout.grids()),
            link: layout_of_maps.map_or(Link::Sigmoid, |layout| layout.first().link),
            few: options.maps(training.has_masks).and_then(SecondPart::of),
            grid,
            grids_format: EvaluationRecord::GRIDS_FORMAT,
            epochs: target.task.epochs.clone(),
            cost,
            check: check.clone(),
            evaluation: target.task.evaluation.clone(),
        };
        target.finish(&record, options.joins_scores(), test, &scores)?;
    }
    Ok(cost)
}

impl EpochScores {
    fn new(count: usize, joined: bool, maps: bool) -> Self {
        let some = |there: bool| vec![0.0; if there { count } else { 0 }];
        Self { detection: some(true), few: some(joined), map_max: some(maps) }
    }
}

/// Of tensors of the images of a range, the part that belongs to the `n` from `at`; nothing of no tensors.
fn part<'t>(tensors: &'t [Vec<f32>], range: &Range<usize>, at: usize, n: usize) -> Vec<&'t [f32]> {
    let of = |tensor: &'t Vec<f32>| {
        let length = tensor.len() / range.len();
        &tensor[(at - range.start) * length..(at - range.start + n) * length]
    };
    tensors.iter().map(of).collect()
}

/// A training's states, one after the other.
struct States<'a> {
    training: &'a Training,
    states: &'a Path,
    layout: &'a [StateTensor],
    scorer: Option<(u32, Scorer)>,
}

impl States<'_> {
    /// Whether what scores reads taps itself; unknown, as before the first state, it may.
    fn read_taps(&self) -> bool {
        self.scorer.as_ref().is_none_or(|(_, scorer)| scorer.reads_taps())
    }

    /// As [`Held::give_up`].
    fn give_up(&mut self, lab: &mut Lab, held: &mut Held, error: Error) -> Result<(), Error> {
        match &mut self.scorer {
            Some((_, scorer)) => held.give_up(lab, scorer.trainer(), error),
            None => Err(error),
        }
    }

    /// The state after `epoch`, ready to score.
    fn at(&mut self, lab: &mut Lab, epoch: u32, object: &str) -> Result<&mut Scorer, Error> {
        let scorer = match self.scorer.take() {
            Some((current, scorer)) if current == epoch => scorer,
            Some((_, scorer)) => scorer.with(lab, self.training, object, &self.read(epoch)?)?,
            None => Scorer::new(lab, self.training, object, &self.read(epoch)?)?,
        };
        Ok(&mut self.scorer.insert((epoch, scorer)).1)
    }

    fn read(&self, epoch: u32) -> Result<Vec<StateTensor>, Error> {
        Ok(state::read(&state_file(self.states, epoch), self.layout)?)
    }
}

impl<'a> Target<'a> {
    fn open(task: &'a Task, maps: bool) -> Result<Self, Error> {
        let path = task.folder.join("grids.f32");
        let grids = if maps { Some(File::create(&path).map_err(Error::file("create", &path))?) } else { None };
        Ok(Self { task, grids })
    }

    /// Writes the grids of images `at..at + n` of `count` where they belong.
    fn write(&mut self, epoch: u32, at: usize, count: usize, grids: &[f32], n: usize) -> Result<(), Error> {
        let block = self.task.epochs.iter().position(|wanted| *wanted == epoch);
        let (Some(block), Some(file)) = (block, self.grids.as_mut()) else { return Ok(()) };
        let image = (grids.len() / n * size_of::<f32>()) as u64;
        let offset = (block as u64 * count as u64 + at as u64) * image;
        let path = self.task.folder.join("grids.f32");
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(bytemuck::cast_slice(grids)))
            .map_err(Error::file("write", &path))
    }

    fn finish(
        self,
        record: &EvaluationRecord,
        joined: Option<Combine>,
        test: &TestSet,
        scores: &BTreeMap<u32, EpochScores>,
    ) -> Result<(), Error> {
        let folder = &self.task.folder;
        let path = folder.join("grids.f32");
        if let Some(file) = self.grids {
            stop::reached();
            file.sync_all().map_err(Error::file("write", &path))?;
        }
        // Maps of two parts may depend on the whole test set, so they are read again now that it is there.
        let mut grids = if record.few.is_some() { Grids::open(folder, record)? } else { None };
        let mut rows = Vec::new();
        for epoch in &self.task.epochs {
            let Some(scores) = scores.get(epoch) else { continue };
            let map_max = match &mut grids {
                Some(grids) => &map_maxima(&grids.read(*epoch)?.maps(record)?)?,
                None => &scores.map_max,
            };
            let detection = match joined {
                Some(rule) => &joined_scores(rule, &scores.detection, &scores.few)?,
                None => &scores.detection,
            };
            for (image, item) in test.items.iter().enumerate() {
                rows.push(ScoreRow {
                    epoch: *epoch,
                    image: item.name.clone(),
                    label: item.abnormal,
                    map_max: map_max.get(image).copied().map(f64::from),
                    detection: detection.get(image).copied().map(f64::from),
                });
            }
        }
        write_scores(&rows, &folder.join("scores.parquet"))?;
        Ok(write_toml(record, &folder.join("evaluation.toml"))?)
    }
}
