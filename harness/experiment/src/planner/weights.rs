//! The encoder of an experiment: where its weights come from, and what they are.

use harness_config::{escaped, expand, start};

use super::{Planner, value};
use crate::catalogue::EncoderSource;
use crate::plan::Encoder;

impl Planner<'_> {
    pub(super) fn encoder(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<Encoder> {
        let source = self.encoder_source(variable);
        let spec = &self.typed.encoder;
        let weights = start(spec.keys.weights.as_ref()?);
        let source = source?;
        let facts = match self.catalogue.weights(&source) {
            Ok(facts) => facts,
            Err(error) => {
                self.findings.add(weights, format!("`weights`: {error}"));
                return None;
            }
        };
        let complaints = facts.arch.check();
        for (key, message) in &complaints {
            let heads = match *key {
                "heads" => spec.keys.heads.as_ref(),
                "text_heads" => spec.keys.text_heads.as_ref(),
                _ => None,
            };
            self.findings.add(heads.map_or(weights, start), format!("`weights`: {message}"));
        }
        (complaints.is_empty() && !spec.broken).then(|| Encoder {
            precision: spec.keys.precision(),
            store: spec.keys.store(),
            weights: facts.hash,
            source,
            arch: facts.arch,
        })
    }

    fn encoder_source(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<EncoderSource> {
        let spec = &self.typed.encoder;
        let weights = spec.keys.weights.as_ref()?;
        if weights.get_ref() != "synthetic" {
            let unfit =
                [("seed", spec.keys.seed.as_ref().map(start)), ("arch", spec.arch.as_ref().map(|arch| arch.start))];
            for (key, offset) in unfit {
                if let Some(offset) = offset {
                    let message = format!("`{key}` is only for weights = \"synthetic\"; remove it");
                    self.findings.add(offset, message);
                }
            }
            if let Some(message) = escaped(weights.get_ref()) {
                self.findings.add(start(weights), message);
                return None;
            }
            let path = match expand(weights.get_ref(), variable) {
                Ok(path) if path.is_empty() => {
                    self.findings.add(start(weights), "`weights` is empty; give a file's path, or \"synthetic\"");
                    return None;
                }
                Ok(path) => path,
                Err(error) => {
                    self.findings.add(start(weights), format!("`weights`: {error}"));
                    return None;
                }
            };
            let folder = self.spec.source.path().parent().unwrap_or_else(|| std::path::Path::new(""));
            let (heads, text_heads) = (value(spec.keys.heads.as_ref()), value(spec.keys.text_heads.as_ref()));
            return Some(EncoderSource::File { path: folder.join(path), heads, text_heads });
        }
        for (key, heads) in [("heads", &spec.keys.heads), ("text_heads", &spec.keys.text_heads)] {
            if let Some(heads) = heads {
                let message = format!("synthetic weights have `{key}` in [encoder.arch]; move it there");
                self.findings.add(start(heads), message);
            }
        }
        if spec.keys.seed.is_none() && !spec.broken {
            self.findings.add(start(weights), "synthetic weights need a `seed`; write seed = 0");
        }
        let Some(typed) = &spec.arch else {
            let message = "synthetic weights need an architecture; write [encoder.arch] and its sizes";
            self.findings.add(start(weights), message);
            return None;
        };
        let arch = typed.arch.clone()?;
        let complaints = arch.check();
        for (key, message) in &complaints {
            let offset = typed.offsets.iter().find(|(size, _)| size == key).map_or(typed.start, |(_, offset)| *offset);
            self.findings.add(offset, message.clone());
        }
        let seed = value(spec.keys.seed.as_ref())?;
        complaints.is_empty().then_some(EncoderSource::Synthetic { seed, arch })
    }
}
