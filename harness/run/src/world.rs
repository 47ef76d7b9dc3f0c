//! The world as a plan sees it: the registry's datasets, support sets, weights, backends. Answers are kept, as a plan
//! asks for the same thing in many places.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

use harness_data::phantom::PhantomSpec;
use harness_data::{
    Dataset, FileHashes, Item, Print, Registry, Severity, SupportSet, images_hash, same_pictures, shared_patients,
};
use harness_experiment::{
    BackendInfo, Catalogue, CatalogueError, ContentHash, DatasetFacts, EncoderSource, Evaluation, Shots, SupportFacts,
    Training, WeightsFacts,
};
use harness_method::options::{Activation, Side};
use harness_method::{Arch, Draw, prompts};
use harness_methods::Sentences;
use harness_records::registry;
use harness_text::count;
use harness_weights::combine_hashes;
use harness_worker::open_weights;
use harness_worker::test_set;

use crate::error::Error;
use crate::order::{ScoredImages, as_scored, difference};
use crate::process::Program;
use crate::sound::SoundWeights;
use crate::truth::Truth;
use crate::watch::probe;

/// By dataset, fold and side: what is true, or why a file keeps it from being known.
type Truths = HashMap<(String, String, usize), Result<Rc<Truth>, String>>;

/// Where the world is found.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// The dataset registry.
    pub registry: PathBuf,
    /// Generated images in place of every dataset's own, for a run that only shows that everything works.
    pub generated: Option<PhantomSpec>,
    /// File that remembers files' hashes.
    pub hashes: PathBuf,
    /// Believe no remembered hash.
    pub verify: bool,
    /// Take support sets that overlap the test set.
    pub allow_overlap: bool,
    /// What loads backends.
    pub program: Program,
}

/// A dataset that was asked for.
pub(crate) struct Known {
    pub(crate) dataset: Dataset,
    pub(crate) test: Vec<Item>,
    facts: DatasetFacts,
    /// What tells its test images from others, once it was asked for.
    prints: RefCell<Option<Rc<Vec<Print>>>>,
}

/// The world.
pub struct World {
    options: WorldOptions,
    registry: Registry,
    hashes: FileHashes,
    datasets: RefCell<HashMap<String, Rc<Known>>>,
    backends: RefCell<HashMap<String, BackendInfo>>,
    /// By dataset, fold and side; or why a file keeps it from being known.
    truths: RefCell<Truths>,
    /// By dataset, shots and draw.
    supports: RefCell<HashMap<(String, Shots, Draw), Rc<SupportSet>>>,
    warnings: RefCell<BTreeSet<String>>,
    /// The activation that the encoder's files suggest.
    suggested: Cell<Option<Activation>>,
    /// What is doubtful about the data, and what is worth knowing of it.
    data_notes: RefCell<BTreeSet<(Severity, String)>>,
}

impl World {
    /// Reads the registry. No dataset is looked at.
    ///
    /// # Errors
    /// A registry that can't be read or is wrong.
    pub fn open(options: WorldOptions) -> Result<Self, Error> {
        let hashes = FileHashes::open(&options.hashes, options.verify);
        let warnings = hashes.note().map(str::to_owned).into_iter().collect();
        Ok(Self {
            registry: registry::load(&options.registry, options.generated)?,
            hashes,
            datasets: RefCell::default(),
            backends: RefCell::default(),
            truths: RefCell::default(),
            supports: RefCell::default(),
            data_notes: RefCell::default(),
            suggested: Cell::default(),
            warnings: RefCell::new(warnings),
            options,
        })
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is generated in place of every dataset's own images.
    pub fn generated(&self) -> Option<PhantomSpec> {
        self.options.generated
    }

    /// What loads backends.
    pub fn program(&self) -> &Program {
        &self.options.program
    }

    /// Whether support sets that overlap the test set are taken.
    pub fn allow_overlap(&self) -> bool {
        self.options.allow_overlap
    }

    /// What answers gave reason to warn of, and what is doubtful about the data; each sorted.
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.borrow().iter().cloned().collect::<Vec<_>>();
        warnings.into_iter().chain(self.data_notes_of(|severity| severity < Severity::Note)).collect()
    }

    /// What is worth knowing of the data, sorted.
    pub fn notes(&self) -> Vec<String> {
        self.data_notes_of(|severity| severity == Severity::Note)
    }

    /// All that a reader of the numbers should know of the data: what is doubtful first.
    pub fn data_notes(&self) -> Vec<String> {
        self.data_notes_of(|_| true)
    }

    fn data_notes_of(&self, which: impl Fn(Severity) -> bool) -> Vec<String> {
        let notes = self.data_notes.borrow();
        notes.iter().filter(|(severity, _)| which(*severity)).map(|(_, note)| note.clone()).collect()
    }

    pub(crate) fn add_note(&self, severity: Severity, note: String) {
        self.data_notes.borrow_mut().insert((severity, note));
    }

    /// The activation that the encoder's files suggest, once its weights were asked for.
    pub(crate) fn suggested_activation(&self) -> Option<Activation> {
        self.suggested.get()
    }

    pub(crate) fn hashes(&self) -> &FileHashes {
        &self.hashes
    }

    /// Remembers the hashes of files for the next time.
    ///
    /// # Errors
    /// The system's.
    pub fn save_hashes(&self) -> Result<(), Error> {
        Ok(self.hashes.save()?)
    }

    /// Labels and masks of the images that an evaluation scores, at S = `size`. Lesions that leave no pixel are among
    /// [`World::warnings`].
    ///
    /// # Errors
    /// As [`Truth::read`]; images that are not those the evaluation was planned with.
    pub fn truth(&self, evaluation: &Evaluation, training: &Training, size: usize) -> Result<Rc<Truth>, Error> {
        self.truth_as_scored(evaluation, training, size, &|| Ok(ScoredImages::default()))
    }

    /// The same, in the order in which the images were scored where corrected labels have changed that of the test set:
    /// then what is known of the images as they were scored is asked for.
    pub(crate) fn truth_as_scored(
        &self,
        evaluation: &Evaluation,
        training: &Training,
        size: usize,
        scored: &dyn Fn() -> Result<ScoredImages, Error>,
    ) -> Result<Rc<Truth>, Error> {
        let fold =
            training.fold.as_ref().filter(|_| evaluation.on_fold).map(|fold| format!("{} {fold:?}", evaluation.test));
        let key = (evaluation.dataset.clone(), fold.unwrap_or_default(), size);
        let set = &evaluation.dataset;
        if let Some(known) = self.truths.borrow().get(&key) {
            return known.clone().map_err(|what| Error::test_set(set, what));
        }
        let truth = match self.read_truth(evaluation, training, size, scored) {
            Ok(truth) => Ok(Rc::new(truth)),
            Err(Error::TestSet { what, .. }) => Err(what),
            Err(error) => return Err(error),
        };
        self.truths.borrow_mut().insert(key, truth.clone());
        truth.map_err(|what| Error::test_set(set, what))
    }

    fn read_truth(
        &self,
        evaluation: &Evaluation,
        training: &Training,
        size: usize,
        scored: &dyn Fn() -> Result<ScoredImages, Error>,
    ) -> Result<Truth, Error> {
        let (hashes, set) = (&self.hashes, &evaluation.dataset);
        let items = test_set::items(&self.registry, evaluation, training)?;
        let dataset = Dataset::open(&self.registry, set)?;
        // A support set's hash was compared when it was listed.
        if evaluation.on_fold {
            return Truth::read(&dataset, &items, size, hashes, None);
        }
        let wanted = evaluation.test.to_string();
        let items = match as_scored(set, items, &wanted, hashes, &|| Ok(scored()?.names))? {
            Ok(items) => items,
            Err(items) => {
                let ScoredImages { names, at } = scored()?;
                let dataset = set.clone();
                return Err(match difference(&items, &names, at) {
                    Some(what) => Error::OtherImages { dataset, what },
                    None => Error::Changed { what: format!("[{set}]: a test image") },
                });
            }
        };
        let truth = Truth::read(&dataset, &items, size, hashes, Some(&wanted))?;
        if let Some(note) = truth.lost_lesions(set, size) {
            self.add_note(Severity::Warning, note);
        }
        Ok(truth)
    }

    /// Refuses support images that are also test images, unless that is allowed, and warns of shared patients.
    fn check_overlap(&self, what: &str, set: &SupportSet, known: &Known) -> Result<(), CatalogueError> {
        let items: Vec<Item> = set.normal.iter().chain(&set.abnormal).cloned().collect();
        let (prints, tests) = (Print::of(&items, &self.hashes).map_err(unanswered)?, self.prints(known)?);
        let pairs = same_pictures(&prints, &tests);
        if let Some((support, test)) = pairs.first() {
            let more = if pairs.len() > 1 { format!(", and {} more", pairs.len() - 1) } else { String::new() };
            let is =
                if prints[*support].content == tests[*test].content { "is also" } else { "shows the same pixels as" };
            let (support, test) = (&items[*support].name, &known.test[*test].name);
            let message = format!("the support image {support} {is} the test image {test}{more}");
            if !self.options.allow_overlap {
                let advice =
                    "remove it from one of them, or run with --allow-overlap (marked in every row of the results)";
                return Err(CatalogueError::new(format!("{message}; {advice}")));
            }
            self.add_note(Severity::Warning, format!("{what}: {message}"));
        }
        let patients = shared_patients(&items, &known.test);
        if !patients.is_empty() {
            let note = format!(
                "{what}: {} {} images in the support set and in the test set ({}): scores may be too good",
                count(patients.len() as u64, "patient"),
                if patients.len() == 1 { "has" } else { "have" },
                patients.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
            );
            self.add_note(Severity::Warning, note);
        }
        Ok(())
    }

    /// [`Catalogue::check_transfer`], or the same within a dataset, for a plan that was made.
    pub(crate) fn check_images(&self, dataset: &str, shots: Shots, draw: Draw, target: &str) -> Result<(), Error> {
        let set = self.support_set(&*self.known(dataset)?, shots, draw)?;
        let of = if dataset == target { String::new() } else { format!(", for the test set of [{target}]") };
        let what = format!("[{dataset}], K {shots}, draw {draw}{of}");
        let checked = self.check_overlap(&what, &set, &*self.known(target)?);
        checked.map_err(|error| Error::Unusable { what: format!("{what}: {error}") })
    }

    fn prints(&self, known: &Known) -> Result<Rc<Vec<Print>>, CatalogueError> {
        if let Some(prints) = &*known.prints.borrow() {
            return Ok(Rc::clone(prints));
        }
        let prints = Rc::new(Print::of(&known.test, &self.hashes).map_err(unanswered)?);
        *known.prints.borrow_mut() = Some(Rc::clone(&prints));
        Ok(prints)
    }

    /// Pixels of more images are known now.
    pub(crate) fn forget_prints(&self) {
        self.datasets.borrow().values().for_each(|known| *known.prints.borrow_mut() = None);
    }

    /// A support set, its files hashed once for all plans while they stay the same.
    pub(crate) fn support_set(
        &self,
        known: &Known,
        shots: Shots,
        draw: Draw,
    ) -> Result<Rc<SupportSet>, CatalogueError> {
        let key = (known.dataset.name().to_owned(), shots, draw);
        if let Some(set) = self.supports.borrow().get(&key) {
            return Ok(Rc::clone(set));
        }
        let hashes = &self.hashes;
        let set = known.dataset.support_with(shots, draw, &|source| hashes.of_source(source));
        let set = Rc::new(set.map_err(unanswered)?);
        self.supports.borrow_mut().insert(key, Rc::clone(&set));
        Ok(set)
    }

    pub(crate) fn known(&self, name: &str) -> Result<Rc<Known>, CatalogueError> {
        if let Some(known) = self.datasets.borrow().get(name) {
            return Ok(Rc::clone(known));
        }
        let dataset = Dataset::open(&self.registry, name).map_err(unanswered)?;
        let test = dataset.test_set().map_err(unanswered)?;
        // The hashes alone: they may be shared by threads, the answers kept here may not.
        let hashes = &self.hashes;
        let hash = images_hash(&test, &|source| hashes.of_source(source)).map_err(unanswered)?;
        let facts = DatasetFacts {
            object: dataset.object().to_owned(),
            has_masks: dataset.has_masks(),
            test_images: test.len() as u64,
            test_hash: content_hash(&hash)?,
        };
        let known = Rc::new(Known { dataset, test, facts, prints: RefCell::default() });
        self.datasets.borrow_mut().insert(name.to_owned(), Rc::clone(&known));
        Ok(known)
    }
}

impl Catalogue for World {
    fn dataset(&self, name: &str) -> Result<DatasetFacts, CatalogueError> {
        Ok(self.known(name)?.facts.clone())
    }

    fn support(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<SupportFacts, CatalogueError> {
        let known = self.known(dataset)?;
        let set = self.support_set(&known, shots, draw)?;
        self.check_overlap(&format!("[{dataset}], K {shots}, draw {draw}"), &set, &known)?;
        let (hash, unordered) = (content_hash(&set.hash)?, content_hash(&set.unordered)?);
        Ok(SupportFacts { hash, set: unordered, drawn: set.drawn })
    }

    fn patients(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<Vec<Option<String>>, CatalogueError> {
        let set = self.support_set(&*self.known(dataset)?, shots, draw)?;
        let patients: Vec<Option<String>> =
            set.abnormal.iter().chain(&set.normal).map(|item| item.patient.clone()).collect();
        Ok(if patients.iter().all(Option::is_none) { Vec::new() } else { patients })
    }

    fn check_transfer(&self, dataset: &str, shots: Shots, draw: Draw, target: &str) -> Result<(), CatalogueError> {
        let set = self.support_set(&*self.known(dataset)?, shots, draw)?;
        let what = format!("[{dataset}], K {shots}, draw {draw}, for the test set of [{target}]");
        self.check_overlap(&what, &set, &*self.known(target)?)
    }

    fn weights(&self, encoder: &EncoderSource) -> Result<WeightsFacts, CatalogueError> {
        let weights = open_weights(encoder).map_err(unanswered)?;
        self.warnings.borrow_mut().extend(weights.notes().iter().cloned());
        self.suggested.set(weights.suggested_activation());
        let files = weights.files();
        let hash = if files.is_empty() {
            weights.hash().to_owned()
        } else {
            let hash = |path: &PathBuf| self.hashes.of(path).map(|bytes| ContentHash::from_bytes(bytes).to_string());
            combine_hashes(&files.iter().map(hash).collect::<Result<Vec<_>, _>>().map_err(unanswered)?)
        };
        let sound = SoundWeights::beside(&self.options.hashes, self.options.verify);
        if !files.is_empty() && !sound.has(&hash) {
            weights.check_values().map_err(unanswered)?;
            sound.add(&hash);
        }
        Ok(WeightsFacts { hash: content_hash(&hash)?, arch: weights.arch().clone() })
    }

    fn backend(&self, name: &str) -> Result<BackendInfo, CatalogueError> {
        if let Some(info) = self.backends.borrow().get(name) {
            return Ok(info.clone());
        }
        let info = probe(&self.options.program, name).map_err(unanswered)?;
        self.backends.borrow_mut().insert(name.to_owned(), info.clone());
        Ok(info)
    }

    fn check_sentences(&self, object: &str, sentences: Sentences, arch: &Arch) -> Result<(), CatalogueError> {
        for (at, side) in Side::BOTH.into_iter().enumerate() {
            let made = match (sentences.learned[at], sentences.fixed[at]) {
                (Some(tokens), _) => prompts::learned(side, object, tokens, arch.context),
                (None, true) => prompts::fixed(side, object, arch.context),
                (None, false) => continue,
            };
            made.map_err(unanswered)?;
        }
        Ok(())
    }
}

fn unanswered(error: impl std::fmt::Display) -> CatalogueError {
    CatalogueError::new(error.to_string())
}

fn content_hash(hex: &str) -> Result<ContentHash, CatalogueError> {
    hex.parse().map_err(unanswered)
}
