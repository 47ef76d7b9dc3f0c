//! How long a run still takes: what is left of its work, at the pace of earlier runs until this one has shown its own.
//! Guesses for people; no result depends on them.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use harness_experiment::Training;

use crate::executor::Report;
use crate::notice::Phase;
use crate::pace::{SHARE, SecondsEach};
use crate::units::Unit;

/// Seconds of work at which this run's own pace counts as much as that of earlier runs.
const TRUST: f64 = 10.0;

/// A kind of work whose pace is its own.
#[derive(Clone, Copy)]
enum Kind {
    Encode,
    Train,
    Score,
}

/// Floating-point operations of a training and of all that is scored of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Load {
    /// Support images through the encoder, where no earlier training has them encoded.
    supports: f64,
    train: f64,
    /// Test images through the encoder, likewise.
    tests: f64,
    score: f64,
}

/// A training in the order of the run.
#[derive(Clone, Debug)]
struct Step {
    backend: String,
    load: Load,
    /// Operations of one image through the encoder.
    image: f64,
}

/// What a backend has done in this run.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    operations: [f64; 3],
    secs: [f64; 3],
    before: SecondsEach,
}

/// Knows a run's work and how much of it is done.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    steps: Vec<Step>,
    /// Trainings that are over.
    over: usize,
    /// Shares of the current training's phases that are over: supports, training, scores.
    shares: [f64; 3],
    /// What was last heard: phase, its share, and images that were encoded.
    heard: Option<(Phase, f64, u64)>,
    /// When that was.
    at: Option<Instant>,
    seen: BTreeMap<String, Seen>,
}

impl Clock {
    /// A run begins that makes these units in turn. `is_trained` says that a training's record is there, `before` how
    /// fast its work was done in earlier runs.
    pub(crate) fn new<'u>(
        units: impl Iterator<Item = &'u Unit<'u>>,
        image_scores: usize,
        is_trained: &dyn Fn(&Training) -> bool,
        before: &dyn Fn(&Training) -> SecondsEach,
    ) -> Self {
        let (mut clock, mut encoded) = (Self::default(), HashSet::new());
        for unit in units {
            let training = unit.training;
            let backend = training.backend.name.clone();
            let image = training.encoding_work();
            let key = format!("{backend} {:?}", training.options.encoding());
            let mut load = Load::default();
            if !is_trained(training) {
                load.train = training.work();
                if let Some(support) = training.support
                    && encoded.insert((key.clone(), support, Some(training.seed)))
                {
                    load.supports = image * training.images() as f64;
                }
            }
            for evaluation in &unit.evaluations {
                load.score += evaluation.work(training, image_scores);
                if !evaluation.on_fold && encoded.insert((key.clone(), evaluation.test, None)) {
                    load.tests += image * evaluation.test_images as f64;
                }
            }
            let seen = Seen { before: before(training), ..Seen::default() };
            clock.seen.entry(backend.clone()).or_insert(seen);
            clock.steps.push(Step { backend, load, image });
        }
        clock
    }

    /// One more training is over, with all that belongs to it.
    pub(crate) fn tick(&mut self) {
        // What came after the last report was the measuring of scores.
        if let (Some((Phase::Score, ..)), Some(at)) = (self.heard, self.at) {
            self.add(Kind::Score, 0.0, at.elapsed().as_secs_f64());
        }
        self.over += 1;
        (self.shares, self.heard, self.at) = ([0.0; 3], None, None);
    }

    /// Hears what the current job reports.
    pub(crate) fn hear(&mut self, report: &Report) {
        self.hear_at(report, Instant::now());
    }

    fn hear_at(&mut self, report: &Report, now: Instant) {
        let Report::Progress { phase, done, total, encoded, .. } = *report else { return };
        let Some(Step { load, image, .. }) = self.steps.get(self.over).cloned() else { return };
        let share = done as f64 / total.max(1) as f64;
        self.shares = match phase {
            Phase::Support => [share, 0.0, 0.0],
            Phase::Train => [1.0, share, 0.0],
            Phase::Score | Phase::Predict => [1.0, 1.0, share],
        };
        let before = self.heard.replace((phase, share, encoded));
        let since = self.at.replace(now);
        // A phase's first report has the time in it that loading took.
        let (Some((last, from, images)), Some(since)) = (before, since) else { return };
        if last != phase || share < from {
            return;
        }
        let secs = now.saturating_duration_since(since).as_secs_f64();
        let encoding = image * encoded.saturating_sub(images) as f64;
        match phase {
            Phase::Support if encoding > 0.0 => self.add(Kind::Encode, encoding, secs),
            Phase::Support => {}
            Phase::Train => self.add(Kind::Train, load.train * (share - from), secs),
            Phase::Score | Phase::Predict => {
                let scoring = load.score * (share - from);
                let part = |kind: Kind, operations: f64| operations * self.current(kind).unwrap_or(1.0);
                let (encode, score) = (part(Kind::Encode, encoding), part(Kind::Score, scoring));
                let of_encode = encode / (encode + score).max(f64::MIN_POSITIVE);
                if encoding > 0.0 {
                    self.add(Kind::Encode, encoding, secs * of_encode);
                }
                self.add(Kind::Score, scoring, secs * (1.0 - of_encode));
            }
        }
    }

    fn add(&mut self, kind: Kind, operations: f64, secs: f64) {
        let Some(step) = self.steps.get(self.over) else { return };
        let Some(seen) = self.seen.get_mut(&step.backend) else { return };
        seen.operations[kind as usize] += operations;
        seen.secs[kind as usize] += secs;
    }

    fn current(&self, kind: Kind) -> Option<f64> {
        self.pace(&self.steps.get(self.over)?.backend, kind)
    }

    /// Seconds that a backend needs for an operation.
    fn pace(&self, backend: &str, kind: Kind) -> Option<f64> {
        let here = self.seen.get(backend);
        let all = || here.into_iter().chain(self.seen.values());
        // Of the same kind, on this backend or another; else of another kind.
        all().find_map(|seen| seen.pace(kind)).or_else(|| match kind {
            Kind::Encode => all().find_map(|seen| seen.pace(Kind::Train).or_else(|| seen.pace(Kind::Score))),
            Kind::Train => all()
                .find_map(|seen| seen.pace(Kind::Score).or_else(|| seen.pace(Kind::Encode).map(|pace| pace / SHARE))),
            Kind::Score => all()
                .find_map(|seen| seen.pace(Kind::Train).or_else(|| seen.pace(Kind::Encode).map(|pace| pace / SHARE))),
        })
    }

    /// Time until all are over; nothing while no pace is known.
    pub(crate) fn left(&self) -> Option<Duration> {
        let mut secs = 0.0;
        for (number, Step { backend, load, .. }) in self.steps.iter().enumerate().skip(self.over) {
            let [supports, train, scores] = if number == self.over { self.shares } else { [0.0; 3] };
            let encode = load.supports * (1.0 - supports) + load.tests * (1.0 - scores);
            let parts = [
                (Kind::Encode, encode),
                (Kind::Train, load.train * (1.0 - train)),
                (Kind::Score, load.score * (1.0 - scores)),
            ];
            for (kind, operations) in parts.into_iter().filter(|(_, operations)| *operations > 0.0) {
                secs += operations * self.pace(backend, kind)?;
            }
        }
        Duration::try_from_secs_f64(secs).ok()
    }
}

impl Seen {
    fn pace(&self, kind: Kind) -> Option<f64> {
        let (operations, secs) = (self.operations[kind as usize], self.secs[kind as usize]);
        match self.before[kind as usize] {
            Some(before) => Some((secs + TRUST) / (operations + TRUST / before)),
            None => (operations > 0.0).then(|| secs / operations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two trainings alike: 100 operations of supports, 1,000 of training, 100 of test images that the first encodes,
    /// 200 of scores; an image is 10.
    fn clock(before: SecondsEach) -> Clock {
        let load = Load { supports: 100.0, train: 1000.0, tests: 100.0, score: 200.0 };
        let step = |load| Step { backend: "one".to_owned(), load, image: 10.0 };
        Clock {
            steps: vec![step(load), step(Load { tests: 0.0, ..load })],
            seen: BTreeMap::from([("one".to_owned(), Seen { before, ..Seen::default() })]),
            ..Clock::default()
        }
    }

    fn report(phase: Phase, done: u64, encoded: u64) -> Report {
        Report::Progress { phase, done, total: 10, encoded, encodes: encoded > 0, took: Duration::ZERO }
    }

    fn secs(clock: &Clock) -> Option<f64> {
        clock.left().map(|left| left.as_secs_f64().round())
    }

    #[test]
    fn the_pace_of_earlier_runs_tells_the_time_before_anything_is_done() {
        assert_eq!(secs(&clock([None; 3])), None);
        let all = clock([Some(0.1); 3]);
        assert_eq!(secs(&all), Some((2600.0_f64 + 100.0) / 10.0));
    }

    #[test]
    fn without_earlier_runs_the_first_images_tell_it() {
        let mut clock = clock([None; 3]);
        let begun = Instant::now();
        clock.hear_at(&report(Phase::Support, 1, 1), begun);
        assert_eq!(secs(&clock), None, "loading is in the time of the first");
        // Ten operations a second.
        clock.hear_at(&report(Phase::Support, 5, 5), begun + Duration::from_secs(4));
        let others = (2000.0 + 400.0) / SHARE;
        assert_eq!(secs(&clock), Some(((50.0 + 100.0 + 100.0 + others) / 10.0_f64).round()));
        // Supports that the store had say nothing of the encoder.
        let mut cached = self::clock([None; 3]);
        cached.hear_at(&report(Phase::Support, 1, 0), begun);
        cached.hear_at(&report(Phase::Support, 10, 0), begun + Duration::from_millis(1));
        assert_eq!(secs(&cached), None);
    }

    #[test]
    fn what_the_run_shows_takes_the_place_of_earlier_runs() {
        let mut clock = clock([Some(0.1); 3]);
        let begun = Instant::now();
        clock.hear_at(&report(Phase::Train, 1, 0), begun);
        // 900 operations at a second each, where a tenth was expected.
        clock.hear_at(&report(Phase::Train, 10, 0), begun + Duration::from_secs(900));
        let train = 1000.0 * (900.0 + TRUST) / (900.0 + 10.0 * TRUST);
        let others = (100.0 + 200.0 + 100.0 + 200.0) / 10.0;
        assert_eq!(secs(&clock), Some((train + others).round()));
        clock.tick();
        clock.tick();
        assert_eq!(secs(&clock), Some(0.0));
    }
}
