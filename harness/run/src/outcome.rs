//! What a run reports of its cells: done with their main numbers, or failed.

use harness_experiment::EvaluationId;
use harness_metrics::Metric;
use harness_records::{CellRecords, CellResult, Detail};

use crate::error::Error;
use crate::notice::Notice;
use crate::scheduler::Run;

impl Run<'_> {
    /// Reports the end of the chosen cells of an evaluation whose records are all there, once.
    pub(crate) fn report_done(&mut self, evaluation: EvaluationId) {
        let plan = self.plan;
        let open = |index: &&usize| self.chosen.contains(index) && !self.ended.contains(index);
        let open: Vec<usize> = self.index.cells(evaluation).iter().filter(open).copied().collect();
        let records = CellRecords::read(self.folder, open.iter().map(|index| &plan.cells[*index]), Detail::Metrics);
        for index in open {
            let Some(result) = records.cell(&plan.cells[index]).done() else { continue };
            self.ended.insert(index);
            self.finished.done += 1;
            self.observer.notice(&Notice::Done { cell: result.cell, values: &headline(&result) });
        }
    }

    /// Reports that some cells failed, those that are chosen and whose end was not reported yet.
    pub(crate) fn fail(&mut self, error: &Error, cells: &[usize]) {
        let message = error.to_string();
        for index in cells {
            if self.chosen.contains(index) && self.ended.insert(*index) {
                self.finished.failed += 1;
                self.observer.notice(&Notice::Failed { cell: &self.plan.cells[*index], message: &message });
            }
        }
        self.finished.given_up = self.most_failures.is_some_and(|most| self.finished.failed >= most);
    }
}

/// A cell's main numbers: AUROCs by the first score that it reports.
fn headline(result: &CellResult<'_>) -> Vec<(String, f64)> {
    let Some((score, epoch)) = result.first() else { return Vec::new() };
    let Some(metrics) = result.metrics(epoch) else { return Vec::new() };
    let image = metrics.get(Metric::ImageAuroc, Some(score)).map(|value| (format!("image_auroc ({score})"), value));
    let pixel = metrics.get(Metric::PixelAuroc, None).map(|value| ("pixel_auroc".to_owned(), value));
    image.into_iter().chain(pixel).collect()
}
