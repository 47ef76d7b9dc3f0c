//! A world made up for tests: it knows a few datasets, backends and weights, and reads no file.
#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests; each file uses some of it")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use harness_config::Problem;
use harness_experiment::{
    BackendInfo, Catalogue, CatalogueError, ContentHash, DatasetFacts, EncoderSource, Error, Plan, Shots, Spec,
    SupportFacts, WeightsFacts,
};
use harness_method::{Arch, Draw, Side, prompts};
use harness_methods::Sentences;

pub struct World {
    pub datasets: BTreeMap<String, DatasetFacts>,
    pub backends: Vec<String>,
    /// Devices of every backend.
    pub devices: Vec<String>,
    /// Largest support set.
    pub pool: u32,
    /// Sizes of every weights file.
    pub arch: Arch,
    /// Patients of every support set's images.
    pub patients: Vec<Option<String>>,
    /// Pairs of a support set's dataset and a target with images in both.
    pub shared: Vec<(String, String)>,
    /// Draws that hold the same images as another one, in another order.
    pub repeats: BTreeMap<Draw, Draw>,
    /// Names of each dataset's support lists.
    pub lists: Vec<String>,
    /// Support sets are drawn.
    pub drawn: bool,
    /// Groups of functions of every backend.
    pub capabilities: Vec<&'static str>,
    /// Questions asked.
    pub asked: RefCell<Vec<String>>,
}

pub fn hash(text: &str) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(text.as_bytes()).as_bytes())
}

pub const VIT_L: Arch = Arch {
    image_size: 336,
    patch: 14,
    width: 1024,
    layers: 24,
    heads: 16,
    embed: 768,
    vocab: 49_408,
    context: 77,
    text_width: 768,
    text_layers: 12,
    text_heads: 12,
};

impl Default for World {
    fn default() -> Self {
        let dataset = |name: &str, object: &str, has_masks, test_images| {
            let facts = DatasetFacts { object: object.to_owned(), has_masks, test_images, test_hash: hash(name) };
            (name.to_owned(), facts)
        };
        Self {
            datasets: [
                dataset("Brain", "Brain", true, 3715),
                dataset("Liver", "Liver", true, 1493),
                dataset("RESC", "retinal OCT", true, 1805),
                dataset("OCT17", "retinal OCT", false, 968),
                dataset("Chest", "Chest X-ray film", false, 17_194),
                dataset("HIS", "histopathological image", false, 2000),
                dataset("Phantom", "Brain", true, 120),
                dataset("Wordy", &"very ".repeat(80), true, 10),
            ]
            .into(),
            backends: ["flex", "libtorch", "cuda", "wgpu"].map(str::to_owned).to_vec(),
            devices: vec!["cpu".to_owned()],
            pool: 32,
            arch: VIT_L,
            shared: Vec::new(),
            patients: Vec::new(),
            repeats: BTreeMap::new(),
            lists: Vec::new(),
            drawn: true,
            capabilities: vec!["heads", "windows"],
            asked: RefCell::default(),
        }
    }
}

impl World {
    fn ask(&self, question: String) {
        self.asked.borrow_mut().push(question);
    }

    pub fn plan(&self, text: &str) -> Result<Plan, Error> {
        Spec::parse(Path::new("experiments/test.toml"), text.to_owned())?.plan(self, &|_| None)
    }

    /// Everything wrong with a text.
    #[track_caller]
    pub fn problems(&self, text: &str) -> Vec<Problem> {
        match self.plan(text) {
            Err(Error::Problems(problems)) => problems.list,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("nothing is wrong with it"),
        }
    }

    /// The one thing wrong with a text, as `line:column: message`.
    #[track_caller]
    pub fn problem(&self, text: &str) -> String {
        let problems = self.problems(text);
        let lines: Vec<String> = problems.iter().map(|p| format!("{}:{}: {}", p.line, p.column, p.message)).collect();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines[0].clone()
    }
}

impl Catalogue for World {
    fn dataset(&self, name: &str) -> Result<DatasetFacts, CatalogueError> {
        self.ask(format!("dataset {name}"));
        let names = self.datasets.keys().map(String::as_str);
        self.datasets.get(name).cloned().ok_or_else(|| CatalogueError::unknown("dataset", name, names))
    }

    fn support(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<SupportFacts, CatalogueError> {
        self.ask(format!("support {dataset} {shots} {draw}"));
        if shots.normal.max(shots.abnormal) > self.pool {
            return Err(CatalogueError::new(format!("{shots} images are wanted, and there are {}", self.pool)));
        }
        if let Some(name) = draw.name().filter(|name| !self.lists.iter().any(|list| list == name.as_str())) {
            return Err(CatalogueError::unknown("support list", name.as_str(), self.lists.iter().map(String::as_str)));
        }
        let content = |draw: Draw| hash(&format!("{dataset} {shots} {draw}"));
        let set = content(self.repeats.get(&draw).copied().unwrap_or(draw));
        Ok(SupportFacts { hash: content(draw), set, drawn: self.drawn && draw.name().is_none() })
    }

    fn patients(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<Vec<Option<String>>, CatalogueError> {
        self.ask(format!("patients {dataset} {shots} {draw}"));
        Ok(self.patients.clone())
    }

    fn check_transfer(&self, dataset: &str, shots: Shots, draw: Draw, target: &str) -> Result<(), CatalogueError> {
        self.ask(format!("transfer {dataset} {shots} {draw} {target}"));
        if self.shared.iter().any(|(source, other)| source == dataset && other == target) {
            return Err(CatalogueError::new("1 image is in both; leave it out"));
        }
        Ok(())
    }

    fn weights(&self, encoder: &EncoderSource) -> Result<WeightsFacts, CatalogueError> {
        self.ask("weights".to_owned());
        match encoder {
            EncoderSource::File { path, .. } if path.to_string_lossy().contains("missing") => {
                Err(CatalogueError::new(format!("{}: no such file", path.display())))
            }
            EncoderSource::File { path, heads, .. } => Ok(WeightsFacts {
                hash: hash(&path.file_name().unwrap().to_string_lossy()),
                arch: Arch { heads: heads.unwrap_or(self.arch.heads), ..self.arch.clone() },
            }),
            EncoderSource::Synthetic { seed, arch } => {
                Ok(WeightsFacts { hash: hash(&format!("{seed} {arch:?}")), arch: arch.clone() })
            }
        }
    }

    fn backend(&self, name: &str) -> Result<BackendInfo, CatalogueError> {
        self.ask(format!("backend {name}"));
        if !self.backends.iter().any(|known| known == name) {
            return Err(CatalogueError::unknown("backend", name, self.backends.iter().map(String::as_str)));
        }
        let precisions: &[&str] = if name == "flex" { &["f32"] } else { &["f32", "f16", "bf16"] };
        Ok(BackendInfo {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            interface: "1".to_owned(),
            devices: self.devices.clone(),
            precisions: precisions.iter().map(|name| (*name).to_owned()).collect(),
            capabilities: self.capabilities.iter().map(|name| (*name).to_owned()).collect(),
            note: None,
        })
    }

    fn check_sentences(&self, object: &str, sentences: Sentences, arch: &Arch) -> Result<(), CatalogueError> {
        self.ask(format!("sentences {object}"));
        for (at, side) in Side::BOTH.into_iter().enumerate() {
            let made = match (sentences.learned[at], sentences.fixed[at]) {
                (Some(tokens), _) => prompts::learned(side, object, tokens, arch.context),
                (None, true) => prompts::fixed(side, object, arch.context),
                (None, false) => continue,
            };
            made.map_err(|error| CatalogueError::new(error.to_string()))?;
        }
        Ok(())
    }
}

/// A file with every required key; `more` comes below the first table, `[encoder]`.
pub fn file(more: &str) -> String {
    format!("{TOP}\n[encoder]\nweights = \"ViT-L-14-336px.pt\"\n{more}")
}

/// The same, with an axis or another top-level key replaced or added.
pub fn file_with(top: &[(&str, &str)], more: &str) -> String {
    let mut lines: Vec<String> = TOP.lines().map(str::to_owned).collect();
    for (key, value) in top {
        let line = format!("{key} = {value}");
        match lines.iter_mut().find(|line| line.split(' ').next() == Some(key)) {
            Some(old) => *old = line,
            None => lines.push(line),
        }
    }
    format!("{}\n\n[encoder]\nweights = \"ViT-L-14-336px.pt\"\n{more}", lines.join("\n"))
}

const TOP: &str = "name = \"test\"
datasets = [\"Brain\"]
shots = [4]
draws = [0]
seeds = [0]
backends = [\"flex\"]
selection = [\"last\"]
";

/// The message holds every one of the parts.
#[track_caller]
pub fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}
