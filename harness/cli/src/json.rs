//! A run as JSON lines on standard output, for scripts. An event's fields are only ever added to.

use std::path::Path;

use harness_run::{Finished, Notice, Observer};
use serde_json::{Value, json};

use crate::output::print;

/// Writes events.
pub(crate) struct JsonLines;

impl JsonLines {
    /// The last line of a run.
    pub(crate) fn finished(finished: &Finished, out: &Path) {
        let Finished { done, failed, reused, .. } = finished;
        line(&json!({ "event": "finished", "done": done, "failed": failed, "reused": reused, "out": out }));
    }
}

impl Observer for JsonLines {
    fn notice(&mut self, notice: &Notice<'_>) {
        line(&match notice {
            Notice::Waiting { holder } => json!({ "event": "waiting", "holder": holder }),
            Notice::Begun { plan, out, cells, reused } => json!({
                "event": "begun", "experiment": plan.name, "smoke": plan.smoke, "cells": cells,
                "reused": reused, "out": out,
            }),
            Notice::Training { training, variants, number, of, left } => json!({
                "event": "training", "training": training.id, "variants": variants, "number": number, "of": of,
                "dataset": training.dataset, "shots": training.shots, "draw": training.draw, "seed": training.seed,
                "backend": training.backend.name, "seconds_left": left.map(|left| left.as_secs()),
            }),
            Notice::Progress { phase, done, total, rate, encodes, left } => json!({
                "event": "progress", "phase": phase, "done": done, "total": total, "rate": rate, "encodes": encodes,
                "seconds_left": left.map(|left| left.as_secs()),
            }),
            Notice::Epoch { epoch, loss } => json!({ "event": "epoch", "epoch": epoch, "loss": loss }),
            Notice::Measuring { evaluation } => json!({ "event": "measuring", "evaluation": evaluation.id }),
            Notice::Retrying { record, message } => {
                json!({ "event": "retrying", "record": record, "message": message })
            }
            Notice::Done { cell, values } => {
                let values: serde_json::Map<String, Value> =
                    values.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                json!({ "event": "cell", "status": "done", "cell": cell, "values": values })
            }
            Notice::Failed { cell, message } => {
                json!({ "event": "cell", "status": "failed", "cell": cell, "message": message })
            }
            Notice::Warning(message) => json!({ "event": "warning", "message": message }),
            Notice::Remark(message) => json!({ "event": "note", "message": message }),
            _ => return,
        });
    }
}

fn line(event: &Value) {
    print(format!("{event}\n"));
}
