//! Waiting for a worker: the one loop in which its events are received and its silence, its end, a time limit and the
//! user's interruption are noticed.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use harness_experiment::BackendInfo;
use harness_records::Class;
use harness_worker::protocol::{Event, Setup};

use crate::error::Error;
use crate::process::{Program, Received, WorkerProcess};

/// How often a worker that says nothing is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What a worker is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// Its backend is loaded.
    Load,
    /// A measurement of a benchmark.
    Answer,
    /// A job.
    Job,
}

/// When to give up.
pub(crate) struct Watch<'a> {
    /// What is waited for.
    pub(crate) wait: Wait,
    /// Name of the backend, for messages.
    pub(crate) backend: &'a str,
    /// Longest time without an event.
    pub(crate) silence: Option<Duration>,
    /// Longest time at all.
    pub(crate) limit: Option<Duration>,
    /// Where the worker's prints go, where that is not its own log.
    pub(crate) log: Option<&'a Path>,
    /// Asked several times a second; no ends it.
    pub(crate) go_on: &'a dyn Fn() -> bool,
}

impl Watch<'_> {
    /// Gives every event to `take`, until that breaks with what was waited for.
    ///
    /// # Errors
    /// The worker's own failure; its end; too long a silence or time; `Interrupted`.
    pub(crate) fn until<T>(
        &self,
        worker: &mut WorkerProcess,
        take: &mut dyn FnMut(Event) -> ControlFlow<T>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let mut heard = begun;
        loop {
            match worker.receive(POLL) {
                Received::Event(Event::Failed { class, message }) => return Err(Error::Job { class, message }),
                Received::Event(event) => {
                    heard = Instant::now();
                    if let ControlFlow::Break(found) = take(event) {
                        return Ok(found);
                    }
                }
                Received::Gone => return Err(worker.end(self.backend, self.log)),
                Received::Nothing => {
                    if let Some(limit) = self.silence.filter(|limit| heard.elapsed() > *limit) {
                        return Err(self.silent(limit));
                    }
                }
            }
            // Asked after events too: short epochs leave no silence to ask in.
            if !(self.go_on)() {
                return Err(Error::Interrupted);
            }
            if let Some(limit) = self.limit.filter(|limit| begun.elapsed() > *limit) {
                return Err(self.too_long(limit));
            }
        }
    }

    fn silent(&self, limit: Duration) -> Error {
        let (backend, secs) = (self.backend, limit.as_secs());
        let message = format!("the worker of backend `{backend}` was silent for {secs} seconds and was stopped");
        Error::Job { class: Class::Stalled, message }
    }

    fn too_long(&self, limit: Duration) -> Error {
        let (backend, secs) = (self.backend, limit.as_secs());
        let (class, message) = match self.wait {
            Wait::Load => (Class::Stalled, format!("backend `{backend}` did not load within {secs} seconds")),
            Wait::Answer => (Class::Stalled, format!("backend `{backend}` gave no answer in {secs} seconds")),
            Wait::Job => (
                Class::TimeLimit,
                format!("the job took longer than {secs} seconds (--cell-limit); its worker (`{backend}`) was stopped"),
            ),
        };
        Error::Job { class, message }
    }
}

/// How long a backend may take to load.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// Loads a backend in a process of its own and asks what it is.
///
/// # Errors
/// No such backend, or one that can't be loaded, with the reason.
pub fn probe(program: &Program, name: &str) -> Result<BackendInfo, Error> {
    let folder = tempfile::tempdir().map_err(Error::file("create", Path::new("a temporary folder")))?;
    let setup = Setup { backend: name.to_owned(), ..Setup::default() };
    Ok(start(program, &setup, &folder.path().join("log.txt"), &|| true)?.1)
}

/// Starts a worker and waits until its backend is loaded. Its prints go to `log` until a job begins.
///
/// # Errors
/// No such backend, or one that can't be loaded in time; `Interrupted`.
pub(crate) fn start(
    program: &Program,
    setup: &Setup,
    log: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(WorkerProcess, BackendInfo), Error> {
    let mut worker = WorkerProcess::spawn(program, setup, log)?;
    let watch =
        Watch { wait: Wait::Load, backend: &setup.backend, silence: None, limit: Some(LOAD_LIMIT), log: None, go_on };
    let info = watch.until(&mut worker, &mut |event| match event {
        Event::Ready { backend } => ControlFlow::Break(backend),
        _ => ControlFlow::Continue(()),
    })?;
    Ok((worker, info))
}
