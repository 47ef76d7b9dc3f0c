//! A worker from the scheduler's side: starting the process, lines to it and from it, and what its end means.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use harness_records::Class;
use harness_worker::memory;
use harness_worker::protocol::{Event, Setup};

use crate::error::Error;

/// The program whose process calls `harness_worker::serve`, and how it is asked to.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// What came from a worker.
pub(crate) enum Received {
    /// It reports.
    Event(Event),
    /// Nothing for now.
    Nothing,
    /// It is gone.
    Gone,
}

/// A running worker. Killed when dropped.
pub(crate) struct WorkerProcess {
    child: Child,
    stdin: ChildStdin,
    events: Receiver<Event>,
    log: PathBuf,
    peak_memory: u64,
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl WorkerProcess {
    /// Starts a worker and tells it what its process is for. Its prints go to `log` until a job begins.
    pub(crate) fn spawn(program: &Program, setup: &Setup, log: &Path) -> Result<Self, Error> {
        let prints = File::create(log).map_err(Error::file("create", log))?;
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(prints);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // The terminal's Ctrl-C is for the scheduler, which ends its workers itself.
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(Error::file("start", &program.path))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Job { class: Class::Internal, message: "a worker has no pipes".to_owned() });
        };
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                let event = serde_json::from_str(&line).unwrap_or_else(|error| Event::Failed {
                    class: Class::Internal,
                    message: format!("a worker's line is not understood: {error}"),
                });
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        let mut worker = Self { child, stdin, events, log: log.to_owned(), peak_memory: 0 };
        worker.write(setup)?;
        Ok(worker)
    }

    /// Gives it a job, or asks it for a measurement.
    pub(crate) fn send(&mut self, job: &impl serde::Serialize) -> Result<(), Error> {
        self.write(job)
    }

    /// What comes within `timeout`.
    pub(crate) fn receive(&mut self, timeout: Duration) -> Received {
        self.peak_memory = self.peak_memory.max(memory::peak(&self.child.id().to_string()).unwrap_or(0));
        match self.events.recv_timeout(timeout) {
            Ok(event) => Received::Event(event),
            Err(RecvTimeoutError::Timeout) => Received::Nothing,
            Err(RecvTimeoutError::Disconnected) => Received::Gone,
        }
    }

    /// What its end means: how it ended, its memory, the last lines of `log` or of what it printed while loading.
    pub(crate) fn end(&mut self, backend: &str, log: Option<&Path>) -> Error {
        let ended = match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("ended, and how is not known: {error}"),
        };
        let mut message = format!("the worker of backend `{backend}` {ended}");
        if self.peak_memory > 0 {
            message += &format!("; peak memory {} MB", self.peak_memory / 1_000_000);
        }
        let tail = tail(log.unwrap_or(&self.log));
        if !tail.is_empty() {
            message += &format!("; its log ends: {tail}");
        }
        Error::Job { class: Class::Crashed, message }
    }

    fn write(&mut self, line: &impl serde::Serialize) -> Result<(), Error> {
        let internal = |message: String| Error::Job { class: Class::Internal, message };
        let mut text =
            serde_json::to_string(line).map_err(|error| internal(format!("a job can't be written: {error}")))?;
        text.push('\n');
        // A worker that is gone is noticed by its silence, which says more.
        let _ = self.stdin.write_all(text.as_bytes()).and_then(|()| self.stdin.flush());
        Ok(())
    }
}

/// How a process ended.
fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            let name = match signal {
                4 => "SIGILL, an instruction this processor does not have",
                6 => "SIGABRT, it gave up: a failed assertion, or an exception that nothing caught",
                7 => "SIGBUS, a disk or memory error",
                8 => "SIGFPE, an arithmetic error",
                9 => "SIGKILL, perhaps for lack of memory",
                11 => "SIGSEGV, a memory error",
                15 => "SIGTERM",
                _ => "",
            };
            let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
            return format!("was ended by signal {signal}{name}");
        }
    }
    match status.code() {
        Some(code) => format!("ended by itself with exit code {code} in the middle of its work"),
        None => "ended, and how is not known".to_owned(),
    }
}

/// The last few lines of a log on one line.
pub(crate) fn tail(log: &Path) -> String {
    const BYTES: u64 = 4096;
    const LINES: usize = 5;
    let read = || {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join(" | ")
}
