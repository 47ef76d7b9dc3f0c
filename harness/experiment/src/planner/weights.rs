//! The encoder of an experiment: where its weights come from, and what they are.

use super::{Planner, value};
use crate::catalogue::EncoderSource;
use crate::check;
use crate::plan::Encoder;
use harness_config::expand;
use harness_config::start;

impl Planner<'_> {
    pub(super) fn encoder(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<Encoder> {
        let source = self.encoder_source(variable);
        let spec = &self.typed.encoder;
        let weights = start(spec.weights.as_ref()?);
        let source = source?;
        let facts = match self.catalogue.weights(&source) {
            Ok(facts) => facts,
            Err(error) => {
                self.findings.add(weights, format!("`weights`: {error}"));
                return None;
            }
        };
        let complaints = check::arch(&facts.arch);
        for (key, message) in &complaints {
            let heads = match *key {
                "heads" => spec.heads.as_ref(),
                "text_heads" => spec.text_heads.as_ref(),
                _ => None,
            };
            self.findings.add(heads.map_or(weights, start), format!("`weights`: {message}"));
        }
        (complaints.is_empty() && !spec.broken).then(|| Encoder {
            precision: value(spec.precision.as_ref()).unwrap_or_default(),
            store: value(spec.store.as_ref()).unwrap_or_default(),
            weights: facts.hash,
            source,
            arch: facts.arch,
        })
    }

    fn encoder_source(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<EncoderSource> {
        let spec = &self.typed.encoder;
        let weights = spec.weights.as_ref()?;
        if weights.get_ref() != "synthetic" {
            let unfit = [("seed", spec.seed.as_ref().map(start)), ("arch", spec.arch.as_ref().map(|arch| arch.start))];
            for (key, place) in unfit {
                if let Some(place) = place {
                    let message = format!("`{key}` is for weights = \"synthetic\" alone; remove it");
                    self.findings.add(place, message);
                }
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
            let (heads, text_heads) = (value(spec.heads.as_ref()), value(spec.text_heads.as_ref()));
            return Some(EncoderSource::File { path: folder.join(path), heads, text_heads });
        }
        for (key, heads) in [("heads", &spec.heads), ("text_heads", &spec.text_heads)] {
            if let Some(heads) = heads {
                let message = format!("synthetic weights have `{key}` in [encoder.arch]; move it there");
                self.findings.add(start(heads), message);
            }
        }
        if spec.seed.is_none() && !spec.broken {
            self.findings.add(start(weights), "synthetic weights need a `seed`; write seed = 0");
        }
        let Some(typed) = &spec.arch else {
            let message = "synthetic weights need an architecture; write [encoder.arch] and its sizes";
            self.findings.add(start(weights), message);
            return None;
        };
        let arch = typed.arch.clone()?;
        let complaints = check::arch(&arch);
        for (key, message) in &complaints {
            let place = typed.places.iter().find(|(place, _)| place == key).map_or(typed.start, |(_, place)| *place);
            self.findings.add(place, message.clone());
        }
        let seed = value(spec.seed.as_ref())?;
        complaints.is_empty().then_some(EncoderSource::Synthetic { seed, arch })
    }
}
