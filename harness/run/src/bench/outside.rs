//! A program other than a backend, measured in the same turns: it does the same work by its own means and says how long
//! that took. What passes between the two is in the README of the backends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use harness_records::Class;
use harness_worker::{Part, Workload};
use serde_json::json;

use crate::error::Error;

/// Longest time for an answer.
const LIMIT: Duration = Duration::from_secs(600);

/// A running program. Killed when dropped.
pub(super) struct Outside {
    command: String,
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outside {
    /// Starts a command, words separated by spaces, gives it the workload, and waits for its name and version.
    pub(super) fn start(
        command: &str,
        workload: &Workload,
        threads: Option<usize>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(Self, String), Error> {
        let mut words = command.split_whitespace();
        let program = words.next().ok_or_else(|| failed("--against needs a command".to_owned()))?;
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("can't start `{program}`: {error}")))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(format!("`{program}` has no pipes")));
        };
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut outside = Self { command: command.to_owned(), child, stdin, lines };
        let Workload { arch, options, images, precision } = workload;
        let given = json!({
            "arch": arch, "options": options, "images": images, "precision": precision, "threads": threads
        });
        outside.write(&given.to_string());
        let name = outside.line(go_on)?;
        Ok((outside, name))
    }

    /// Seconds of one measurement; `None` where the program does not do that.
    pub(super) fn time(&mut self, part: Part, go_on: &dyn Fn() -> bool) -> Result<Option<f64>, Error> {
        self.write(part.name());
        let line = self.line(go_on)?;
        match line.trim() {
            "-" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(secs) if secs.is_finite() && secs > 0.0 => Ok(Some(secs)),
                _ => Err(failed(format!("`{}` answered `{text}`; expected seconds or -", self.command))),
            },
        }
    }

    fn write(&mut self, line: &str) {
        // A program that is gone is noticed by its silence.
        let _ = writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush());
    }

    fn line(&mut self, go_on: &dyn Fn() -> bool) -> Result<String, Error> {
        let begun = Instant::now();
        loop {
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failed(format!("`{}` ended without an answer", self.command)));
                }
                Err(RecvTimeoutError::Timeout) if !go_on() => return Err(Error::Interrupted),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > LIMIT => {
                    return Err(failed(format!(
                        "`{}` did not answer within {} seconds",
                        self.command,
                        LIMIT.as_secs()
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn failed(message: String) -> Error {
    Error::Job { class: Class::Input, message }
}
