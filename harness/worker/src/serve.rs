//! A worker process: it loads one backend, does the jobs that come as lines on its standard input, and reports on a
//! pipe that nothing else writes to. It opens no folder but those that its jobs name.

use std::fs::{File, OpenOptions};
use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use harness_backend_abi::host::{Backend, Capability};
use harness_experiment::BackendInfo;
use harness_records::{Class, Cost};

use crate::equipment::Equipment;
use crate::error::Error;
use crate::evaluating::evaluate;
use crate::events::Events;
use crate::lab::{Known, Lab, Referee};
use crate::part::Ask;
use crate::predicting::predict;
use crate::protocol::{Event, Job, Setup};
use crate::referee::ALWAYS;
use crate::session::PROCESSOR;
use crate::test_set::TestSet;
use crate::training::train;

/// Serves jobs until the scheduler closes its end. `open` gives a backend by name, or says why there is none; `gemm`
/// measures the machine's rate of f32 matrix products on the threads of this process, in 10^9 operations a second;
/// `built_in` names the backend that checks those which compile their kernels.
///
/// # Errors
/// The pipes could not be set up; every other failure goes to the scheduler as an event.
pub fn serve(
    open: &dyn Fn(&str) -> Result<Backend, String>,
    built_in: &str,
    gemm: &dyn Fn() -> f64,
) -> Result<(), Error> {
    harness_disk::stop::this_is_a_worker();
    // Without its scheduler a worker has nobody to work for, even in the middle of a backend's call.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| Error::file("tie the worker to", Path::new("its scheduler"))(error.into()))?;
    let pipe = |error: rustix::io::Errno| Error::file("set up", Path::new("the worker's pipes"))(error.into());
    // What a backend prints goes where errors go: the pipe is ours alone.
    let events = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(pipe)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map_err(pipe)?;
    let mut events = Events::new(File::from(events));
    let mut lines = std::io::stdin().lock().lines();
    let Some(Ok(line)) = lines.next() else { return Ok(()) };
    let prepared = serde_json::from_str(&line)
        .map_err(|error| Error::internal(format!("setup: {error}")))
        .and_then(|setup: Setup| prepare(&setup, open, built_in, gemm, &mut events));
    let mut lab = match prepared {
        Ok(Prepared::Nothing) => return Ok(()),
        Ok(Prepared::Lab(lab)) => lab,
        Ok(Prepared::Equipment(mut equipment)) => {
            while let Some(Ok(line)) = lines.next() {
                events.send(&measured(&mut equipment, &line, gemm));
            }
            return Ok(());
        }
        Err(error) => {
            events.send(&failed(&error));
            return Ok(());
        }
    };
    let mut tests = Vec::new();
    while let Some(Ok(line)) = lines.next() {
        let done = match serde_json::from_str(&line) {
            Ok(job) => guarded(&mut lab, &mut tests, &job, &mut events),
            Err(error) => Err(Error::internal(format!("job: {error}"))),
        };
        events.send(&match done {
            Ok(cost) => Event::Done { cost },
            Err(error) => failed(&error),
        });
    }
    Ok(())
}

/// What a worker does its work with.
enum Prepared {
    /// It only described its backend.
    Nothing,
    /// For jobs.
    Lab(Box<Lab>),
    /// For measurements.
    Equipment(Box<Equipment>),
}

/// Loads the backend, says what it is, and opens the rest where there is work to come.
fn prepare(
    setup: &Setup,
    open: &dyn Fn(&str) -> Result<Backend, String>,
    built_in: &str,
    gemm: &dyn Fn() -> f64,
    events: &mut Events,
) -> Result<Prepared, Error> {
    let open = |name: &str| open(name).map_err(|message| Error::Job { class: Class::Input, message });
    if let Some(threads) = setup.threads {
        // The first to ask decides; nobody asked before.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    // Before the backend's own threads are there.
    let gemm_gflops = setup.world.as_ref().filter(|world| world.compared && world.device == PROCESSOR).map(|_| gemm());
    let start = Instant::now();
    let backend = open(&setup.backend)?;
    let known = Known { load_secs: start.elapsed().as_secs_f64(), gemm_gflops };
    events.send(&Event::Ready { backend: info(&setup.backend, &backend) });
    if let Some(workload) = &setup.bench {
        let (equipment, load_secs) = Equipment::load(&backend, workload, setup.threads)?;
        events.send(&Event::Measured { value: known.load_secs + load_secs });
        return Ok(Prepared::Equipment(Box::new(equipment)));
    }
    let Some(world) = &setup.world else { return Ok(Prepared::Nothing) };
    let checked = backend.has(Capability::Compiles) || std::env::var_os(ALWAYS).is_some();
    let referee = if checked { Some(Referee::new(open(built_in)?, setup.threads)) } else { None };
    Ok(Prepared::Lab(Box::new(Lab::open(backend, world, setup.threads, known, referee)?)))
}

/// What a backend says of itself, under the name it is asked for by.
fn info(name: &str, backend: &Backend) -> BackendInfo {
    let description = backend.describe();
    BackendInfo {
        name: name.to_owned(),
        version: description.version.clone(),
        interface: backend.interface().to_string(),
        devices: description.devices.clone(),
        precisions: description.precisions.clone(),
        capabilities: backend.capabilities().iter().map(|capability| capability.name().to_owned()).collect(),
        note: description.note.clone(),
    }
}

/// Does a job with prints going to its folder's log. A panic fails the job, not the process.
fn guarded(lab: &mut Lab, tests: &mut Vec<TestSet>, job: &Job, events: &mut Events) -> Result<Cost, Error> {
    redirect(job)?;
    match catch_unwind(AssertUnwindSafe(|| perform(lab, tests, job, events))) {
        Ok(done) => done,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            let message = format!("a fault of this program: {text}; please report it");
            Err(Error::Job { class: Class::Internal, message })
        }
    }
}

/// The answer to a line of a benchmark.
fn measured(equipment: &mut Equipment, line: &str, gemm: &dyn Fn() -> f64) -> Event {
    let value = match serde_json::from_str(line) {
        Ok(Ask::Gemm) => equipment.gemm_rate().unwrap_or_else(|| Ok(gemm())),
        Ok(Ask::Time(part)) => equipment.time(part),
        Err(error) => Err(Error::internal(format!("question: {error}"))),
    };
    value.map_or_else(|error| failed(&error), |value| Event::Measured { value })
}

fn perform(lab: &mut Lab, tests: &mut Vec<TestSet>, job: &Job, events: &mut Events) -> Result<Cost, Error> {
    match job {
        Job::Train { training, keep, folder } => train(lab, training, *keep, folder, events),
        Job::Evaluate { training, states, tasks } => evaluate(lab, tests, training, states, tasks, events),
        Job::Predict { training, object, state, images, folder } => {
            predict(lab, training, object, state, images, folder, events)
        }
    }
}

fn redirect(job: &Job) -> Result<(), Error> {
    let Some(path) = job.log() else { return Ok(()) };
    let log = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file("create", &path))?;
    let failed = |error: rustix::io::Errno| Error::file("print to", &path)(error.into());
    rustix::stdio::dup2_stdout(&log).map_err(failed)?;
    rustix::stdio::dup2_stderr(&log).map_err(failed)
}

fn failed(error: &Error) -> Event {
    Event::Failed { class: error.class(), message: error.to_string() }
}
