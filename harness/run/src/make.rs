//! Having records made by a job, with a second attempt at what may pass.

use std::path::PathBuf;

use harness_records::{Entry, RecordId, now};
use harness_worker::protocol::Job;

use crate::error::Error;
use crate::executor::{Executor, Report};
use crate::notice::{Notice, notice};
use crate::retry;
use crate::scheduler::Run;

impl Run<'_> {
    /// Has records made by a job that fills a folder for each. Why it failed is returned, after it was noted in the
    /// journal; the cells have not heard of it yet.
    pub(crate) fn make(
        &mut self,
        records: &[RecordId],
        executor: &mut dyn Executor,
        job: &dyn Fn(&[PathBuf]) -> Job,
    ) -> Result<Option<Error>, Error> {
        let mut attempt = 1;
        loop {
            let Some(error) = self.attempt(records, attempt, executor, job)? else { return Ok(None) };
            let Some(first) = records.first().filter(|_| retry::again(error.class(), attempt)) else {
                return Ok(Some(error));
            };
            executor.renew();
            self.observer.notice(&Notice::Retrying { record: first.kind(), message: &error.to_string() });
            attempt += 1;
        }
    }

    /// One attempt. The folders become records together or not at all; what a training kept stays where it may go on.
    fn attempt(
        &mut self,
        records: &[RecordId],
        attempt: u32,
        executor: &mut dyn Executor,
        job: &dyn Fn(&[PathBuf]) -> Job,
    ) -> Result<Option<Error>, Error> {
        let mut folders = Vec::new();
        for record in records {
            folders.push(self.folder.begin(&self.folder.record(*record))?);
        }
        let (observer, clock) = (&mut *self.observer, &mut self.clock);
        let mut hear = |report: Report| {
            clock.hear(&report);
            notice(observer, report, clock.left());
        };
        match executor.perform(&job(&folders), &mut hear) {
            Ok(cost) => {
                for (record, folder) in records.iter().zip(&folders) {
                    self.folder.commit(folder, &self.folder.record(*record))?;
                    let (record, secs) = (*record, cost.total_secs);
                    self.journal.append(&Entry::Completed { at: now(), record, secs, attempt })?;
                }
                Ok(None)
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => {
                let go_on = retry::may_go_on(error.class());
                for (record, folder) in records.iter().zip(&folders) {
                    self.folder.abandon(folder, &record.to_string(), go_on)?;
                    self.note_failure(*record, attempt, &error)?;
                }
                Ok(Some(error))
            }
        }
    }

    /// Writes a failure into the journal.
    pub(crate) fn note_failure(&mut self, record: RecordId, attempt: u32, error: &Error) -> Result<(), Error> {
        let (class, message) = (error.class(), error.to_string());
        Ok(self.journal.append(&Entry::Failed { at: now(), record, class, message, attempt })?)
    }
}
