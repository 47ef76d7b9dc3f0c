//! Experiment files: any text is a plan that reads back from its frozen form, or a list of mistakes with positions.
#![no_main]

use std::path::Path;

use harness_experiment::{
    BackendInfo, Catalogue, CatalogueError, ContentHash, DatasetFacts, Draw, EncoderSource, Error, Plan, Shots, Spec,
    SupportFacts, WeightsFacts,
};
use harness_fuzz::tokens;
use harness_method::Arch;
use harness_methods::Sentences;
use libfuzzer_sys::fuzz_target;

/// A world in which every name exists.
struct World;

fn hash(text: &str) -> ContentHash {
    let mut bytes = [7; 32];
    text.bytes().enumerate().for_each(|(i, byte)| bytes[i % 32] ^= byte.rotate_left(i as u32 / 32));
    ContentHash::from_bytes(bytes)
}

impl Catalogue for World {
    fn dataset(&self, name: &str) -> Result<DatasetFacts, CatalogueError> {
        let facts = DatasetFacts {
            object: "Brain".to_owned(),
            has_masks: name != "OCT17",
            test_images: 9,
            test_hash: hash(name),
        };
        Ok(facts)
    }

    fn support(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<SupportFacts, CatalogueError> {
        let content = |draw: Draw| hash(&format!("{dataset} {shots} {draw}"));
        let set = draw.number().map_or(draw, |number| Draw::Number(number / 2));
        Ok(SupportFacts { hash: content(draw), set: content(set), drawn: draw.name().is_none() })
    }

    fn patients(&self, _: &str, _: Shots, _: Draw) -> Result<Vec<Option<String>>, CatalogueError> {
        Ok(Vec::new())
    }

    fn check_transfer(&self, _: &str, _: Shots, _: Draw, _: &str) -> Result<(), CatalogueError> {
        Ok(())
    }

    fn weights(&self, encoder: &EncoderSource) -> Result<WeightsFacts, CatalogueError> {
        let arch = match encoder {
            EncoderSource::Synthetic { arch, .. } => arch.clone(),
            EncoderSource::File { heads, .. } => Arch {
                image_size: 336,
                patch: 14,
                width: 1024,
                layers: 24,
                heads: heads.unwrap_or(16),
                embed: 768,
                vocab: 49_408,
                context: 77,
                text_width: 768,
                text_layers: 12,
                text_heads: 12,
            },
        };
        Ok(WeightsFacts { hash: hash(&format!("{encoder:?}")), arch })
    }

    fn backend(&self, name: &str) -> Result<BackendInfo, CatalogueError> {
        Ok(BackendInfo {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            interface: "1".to_owned(),
            devices: vec!["cpu".to_owned()],
            precisions: ["f32", "f16", "bf16"].map(str::to_owned).to_vec(),
            capabilities: Vec::new(),
            note: None,
        })
    }

    fn check_sentences(&self, _: &str, _: Sentences, _: &Arch) -> Result<(), CatalogueError> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let text = tokens::text(bytes, tokens::EXPERIMENT);
    let lines = text.lines().count() + 1;
    let plan = Spec::parse(Path::new("experiments/x.toml"), text).and_then(|spec| spec.plan(&World, &|_| None));
    match plan {
        Ok(plan) => {
            let frozen = plan.to_toml().expect("a plan that can be written");
            let again = Plan::from_toml(&frozen).expect("a frozen plan that reads");
            assert_eq!(again.cells.len(), plan.cells.len());
            assert!(again.cells.iter().zip(&plan.cells).all(|(a, b)| a.id == b.id));
        }
        Err(Error::Problems(problems)) => {
            assert!(!problems.list.is_empty());
            assert!(problems.list.iter().all(|p| (1..=lines).contains(&p.line) && p.column >= 1), "{problems}");
        }
        Err(error) => panic!("{error}"),
    }
});
