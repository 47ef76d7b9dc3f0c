//! One backend's worker over a run: started when there is work, watched while it works, ended when it hangs or takes too long.
//! The process is `process`', what work there is `scheduler`'s.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness_records::Class;
use harness_records::Cost;
use harness_worker::protocol::{Event, Job, Phase, Setup};

use crate::error::Error;
use crate::process::{Program, Received, WorkerProcess};

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

/// What a job in progress tells.
pub(crate) enum Told {
    /// How far a phase is, and how long it has taken so far.
    Progress(Phase, u64, u64, Duration),
    /// An epoch is over, with its mean loss.
    Epoch(u32, f64),
}

/// A backend's worker, or none yet.
pub(crate) struct Crew<'a> {
    pub(crate) program: &'a Program,
    pub(crate) setup: Setup,
    /// For what it prints before its first job.
    pub(crate) log: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) go_on: &'a dyn Fn() -> bool,
    pub(crate) worker: Option<WorkerProcess>,
}

impl Crew<'_> {
    /// Ends the worker; the next job has a new one.
    pub(crate) fn dismiss(&mut self) {
        self.worker = None;
    }

    /// Gives a job to the worker, which is started where there is none, and waits for its end.
    pub(crate) fn perform(&mut self, job: &Job, tell: &mut dyn FnMut(Told)) -> Result<Cost, Error> {
        let backend = self.setup.backend.clone();
        let failed = |class, message| Err(Error::Job { class, message });
        let running = match &mut self.worker {
            Some(running) => running,
            None => self.worker.insert(WorkerProcess::start(self.program, &self.setup, &self.log, self.go_on)?.0),
        };
        running.send(job)?;
        let start = Instant::now();
        let (mut heard, mut begun, mut of) = (start, start, None);
        loop {
            match running.receive(Duration::from_millis(100)) {
                Received::Event(Event::Done { cost }) => return Ok(cost),
                Received::Event(Event::Failed { class, message }) => {
                    // A worker that ran out of memory keeps what it took: the next job deserves a new one.
                    if matches!(class, Class::Exhausted | Class::Internal) {
                        self.dismiss();
                    }
                    return failed(class, message);
                }
                Received::Event(event) => {
                    let before = std::mem::replace(&mut heard, Instant::now());
                    match event {
                        Event::Progress { phase, done, total } => {
                            if of != Some(phase) {
                                (of, begun) = (Some(phase), before);
                            }
                            tell(Told::Progress(phase, done, total, begun.elapsed()));
                        }
                        Event::Epoch { epoch, loss } => tell(Told::Epoch(epoch, loss)),
                        _ => {}
                    }
                }
                Received::Gone => {
                    let error = running.end(&backend, job.log().as_deref());
                    self.dismiss();
                    return Err(error);
                }
                Received::Nothing if heard.elapsed() > self.limits.silence => {
                    let secs = self.limits.silence.as_secs();
                    self.dismiss();
                    let message =
                        format!("the worker of backend `{backend}` said nothing for {secs} seconds and was ended");
                    return failed(Class::Stalled, message);
                }
                Received::Nothing => {}
            }
            // Whatever was heard: short epochs leave no silence to ask in.
            if !(self.go_on)() {
                return Err(Error::Interrupted);
            }
            if let Some(limit) = self.limits.job.filter(|limit| start.elapsed() > *limit) {
                self.dismiss();
                let secs = limit.as_secs();
                let message = format!(
                    "it took longer than the {secs} seconds of --cell-limit; its worker (`{backend}`) was ended"
                );
                return failed(Class::TimeLimit, message);
            }
        }
    }
}
