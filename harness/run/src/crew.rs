//! One backend's worker over a run: started when there is work, and again after a failure that may have damaged it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness_experiment::BackendInfo;
use harness_records::{Class, Cost};
use harness_worker::protocol::{Event, Job, Setup};

use crate::error::Error;
use crate::executor::{Executor, Report};
use crate::process::{Program, WorkerProcess};
use crate::watch::{Wait, Watch, start};

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest silence of a worker before it is taken to hang.
    pub silence: Duration,
    /// Longest time of one job, which is one training or one pass over a test set.
    pub job: Option<Duration>,
    /// Failed cells after which the run ends.
    pub failures: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Duration::from_secs(1800), job: None, failures: None }
    }
}

/// A backend's worker, or none yet.
pub(crate) struct Crew<'a> {
    program: &'a Program,
    setup: Setup,
    /// For what it prints before its first job.
    log: PathBuf,
    limits: Limits,
    go_on: &'a dyn Fn() -> bool,
    worker: Option<WorkerProcess>,
}

impl<'a> Crew<'a> {
    /// Of no worker yet.
    pub(crate) fn new(
        program: &'a Program,
        setup: Setup,
        log: PathBuf,
        limits: Limits,
        go_on: &'a dyn Fn() -> bool,
    ) -> Self {
        Self { program, setup, log, limits, go_on, worker: None }
    }

    /// Starts a worker where there is none. What its backend is, where it was started now.
    pub(crate) fn start(&mut self) -> Result<Option<BackendInfo>, Error> {
        if self.worker.is_some() {
            return Ok(None);
        }
        let (worker, info) = start(self.program, &self.setup, &self.log, self.go_on)?;
        self.worker = Some(worker);
        Ok(Some(info))
    }
}

impl Executor for Crew<'_> {
    fn perform(&mut self, job: &Job, report: &mut dyn FnMut(Report)) -> Result<Cost, Error> {
        self.start()?;
        let Some(worker) = &mut self.worker else {
            return Err(Error::Job { class: Class::Internal, message: "a worker is gone before its job".to_owned() });
        };
        worker.send(job)?;
        let log = job.log();
        let watch = Watch {
            wait: Wait::Job,
            backend: &self.setup.backend,
            silence: Some(self.limits.silence),
            limit: self.limits.job,
            log: log.as_deref(),
            go_on: self.go_on,
        };
        let mut phases = Phases { heard: Instant::now(), current: None, encoded: 0, encoding: None };
        let done = watch.until(worker, &mut |event| {
            if let Event::Done { cost } = event {
                return ControlFlow::Break(cost);
            }
            if let Some(reported) = phases.report(&event) {
                report(reported);
            }
            ControlFlow::Continue(())
        });
        // A worker that ran out of memory keeps what it took, and one that hangs or is at fault can't be trusted.
        if done.as_ref().is_err_and(|error| !leaves_worker_usable(error.class())) {
            self.renew();
        }
        done
    }

    fn renew(&mut self) {
        self.worker = None;
    }
}

/// Whether a worker whose job failed in this way may do the next one.
fn leaves_worker_usable(class: Class) -> bool {
    match class {
        Class::Input | Class::Numeric | Class::Backend | Class::Disk => true,
        Class::Exhausted | Class::Crashed | Class::Stalled | Class::TimeLimit | Class::Internal => false,
    }
}

/// Since when a job has been in its phase.
struct Phases {
    /// When the last event came.
    heard: Instant,
    current: Option<(harness_worker::protocol::Phase, Instant)>,
    /// Images that were encoded so far.
    encoded: u64,
    /// When that number last grew.
    encoding: Option<Instant>,
}

/// How long after an image was encoded a phase is still one that encodes.
const STILL_ENCODES: Duration = Duration::from_secs(3);

impl Phases {
    fn report(&mut self, event: &Event) -> Option<Report> {
        // A phase began when the one before was last heard of.
        let before = std::mem::replace(&mut self.heard, Instant::now());
        match *event {
            Event::Progress { phase, done, total, encoded } => {
                let begun = match self.current {
                    Some((current, begun)) if current == phase => begun,
                    _ => before,
                };
                self.current = Some((phase, begun));
                if encoded > std::mem::replace(&mut self.encoded, encoded) {
                    self.encoding = Some(self.heard);
                }
                // Images come in batches, of which some are scored by several states before the next is encoded.
                let encodes = self.encoding.is_some_and(|last| last.elapsed() < STILL_ENCODES);
                Some(Report::Progress { phase, done, total, encoded, encodes, took: begun.elapsed() })
            }
            Event::Epoch { epoch, loss } => Some(Report::Epoch { epoch, loss }),
            Event::Note { ref message } => Some(Report::Note(message.clone())),
            Event::Ready { .. } | Event::Done { .. } | Event::Measured { .. } | Event::Failed { .. } => None,
        }
    }
}
