//! `datasets.toml`: which datasets exist and how each is described. No folder is opened here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::phantom::PhantomSpec;
use crate::spelling::{nearest, syntax_error};
use crate::variables::Template;

/// How a dataset's files are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `{valid,test}/{good,Ungood}/img`, `{valid,test}/Ungood/anomaly_mask` (docs/method.md section 6).
    Mvfa,
    /// `train/good`, `test/good`, `test/<defect>`, `ground_truth/<defect>/<stem>_mask.png`.
    Mvtec,
    /// A table with columns image, label, mask, split, patient.
    Csv,
    /// Generated, no files.
    Phantom,
}

impl Layout {
    /// The name in `datasets.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mvfa => "mvfa",
            Self::Mvtec => "mvtec",
            Self::Csv => "csv",
            Self::Phantom => "phantom",
        }
    }
}

/// Which values of a mask mark a lesion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskValues {
    /// More than half of full scale.
    #[default]
    Half,
    /// Every value but zero.
    Nonzero,
}

impl MaskValues {
    /// The name in `datasets.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Half => "half",
            Self::Nonzero => "nonzero",
        }
    }
}

/// Image counts that the dataset's publication states; each is checked where it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Normal images to draw supports from.
    pub valid_normal: Option<usize>,
    /// Abnormal images to draw supports from.
    pub valid_abnormal: Option<usize>,
    /// Normal test images.
    pub test_normal: Option<usize>,
    /// Abnormal test images.
    pub test_abnormal: Option<usize>,
    /// Test images, both classes.
    pub test: Option<usize>,
}

/// An entry as typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    root: Option<String>,
    layout: Layout,
    object: String,
    modality: String,
    masks: bool,
    support: Option<String>,
    patient: Option<String>,
    source: Option<String>,
    licence: Option<String>,
    published_name: Option<String>,
    #[serde(default)]
    mask_values: MaskValues,
    #[serde(default)]
    counts: Counts,
    csv: Option<String>,
    phantom: Option<PhantomSpec>,
}

/// A dataset's description, checked, its folder not yet looked for.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name experiments use.
    pub name: String,
    /// How files are arranged.
    pub layout: Layout,
    /// The object's name in sentences (docs/method.md section 4).
    pub object: String,
    /// The imaging modality, for tables.
    pub modality: String,
    /// Whether abnormal images have masks.
    pub masks: bool,
    /// Which values of a mask mark a lesion.
    pub mask_values: MaskValues,
    /// Pattern of the support lists' paths as typed, with `{shots}`, `{draw}` and variables; without it supports are drawn.
    pub support: Option<String>,
    /// Takes the patient from an image's file name: its first group, or all of the match.
    pub patient: Option<Regex>,
    /// Where the data comes from.
    pub source: Option<String>,
    /// What may be done with it.
    pub licence: Option<String>,
    /// The dataset's name in tables of published results.
    pub published_name: Option<String>,
    /// Expected counts.
    pub counts: Counts,
    /// Layout `csv`: the table, below the root.
    pub csv: String,
    /// Layout `phantom`: what is generated.
    pub phantom: PhantomSpec,
    root: Option<Template>,
    lists: Option<Template>,
    registry: PathBuf,
}

impl Entry {
    /// The dataset's folder, variables taken from `lookup`, relative paths from the registry file's folder. `None` for the
    /// phantom layout. Whether the folder exists is not looked at.
    ///
    /// # Errors
    /// [`DataError::UnsetVariable`].
    pub fn root_with(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<PathBuf>> {
        let Some(text) = self.filled("root", self.root.as_ref(), lookup)? else { return Ok(None) };
        let root = self.registry.parent().unwrap_or(Path::new("")).join(text);
        // Without `.` in the middle, which messages would show.
        Ok(Some(root.components().collect()))
    }

    /// The pattern of the support lists, variables taken from `lookup`: below the dataset's root, or absolute. `None` where
    /// supports are drawn.
    ///
    /// # Errors
    /// [`DataError::UnsetVariable`].
    pub fn support_with(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>> {
        self.filled("support", self.lists.as_ref(), lookup)
    }

    fn filled(
        &self,
        key: &'static str,
        template: Option<&Template>,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>> {
        let fill = |template: &Template| template.expand(lookup);
        template.map(fill).transpose().map_err(|variable| DataError::UnsetVariable {
            path: self.registry.clone(),
            dataset: self.name.clone(),
            key,
            variable,
        })
    }

    /// [`Entry::root_with`] on the process's environment.
    ///
    /// # Errors
    /// [`DataError::UnsetVariable`].
    pub fn root(&self) -> Result<Option<PathBuf>> {
        self.root_with(&|name| std::env::var(name).ok())
    }

    /// The registry file.
    pub fn registry(&self) -> &Path {
        &self.registry
    }

    fn check(name: String, raw: Raw, path: &Path) -> Result<Self> {
        let wrong = |key: &'static str, message: String| DataError::Entry {
            path: path.to_owned(),
            dataset: name.clone(),
            key,
            message,
        };
        let generated = raw.layout == Layout::Phantom;
        let no_files = "layout `phantom` is generated and has no files: remove the key";
        let only_phantom = "only layout `phantom` has it: remove the key";
        match (&raw.root, generated) {
            (None, false) => return Err(wrong("root", "missing: the dataset's folder".to_owned())),
            (Some(_), true) => return Err(wrong("root", no_files.to_owned())),
            _ => {}
        }
        if generated && raw.support.is_some() {
            return Err(wrong("support", no_files.to_owned()));
        }
        if raw.phantom.is_some() && !generated {
            return Err(wrong("phantom", only_phantom.to_owned()));
        }
        let phantom = raw.phantom.unwrap_or_default();
        phantom.check().map_err(|message| wrong("phantom", message))?;
        if raw.csv.is_some() && raw.layout != Layout::Csv {
            return Err(wrong("csv", "only layout `csv` has it: remove the key".to_owned()));
        }
        if raw.layout == Layout::Mvtec && raw.support.is_none() {
            return Err(wrong(
                "support",
                "layout `mvtec` has no abnormal images outside test/, so none can be drawn: name them in list files, for \
                 example `support = \"support/{shots}-shot-draw{draw}.csv\"`; every image a list names is left out of the \
                 test set"
                    .to_owned(),
            ));
        }
        let template = |key: &'static str, text: &Option<String>| -> Result<Option<Template>> {
            text.as_deref().map(Template::parse).transpose().map_err(|message| wrong(key, message))
        };
        let (root, lists) = (template("root", &raw.root)?, template("support", &raw.support)?);
        if raw.support.as_ref().is_some_and(|pattern| pattern.trim().is_empty()) {
            let message =
                "empty: write a path below the dataset's root or an absolute one, or remove the key to draw supports";
            return Err(wrong("support", message.to_owned()));
        }
        if let Some(lists) = &lists {
            crate::support_list::check_pattern(&lists.literals()).map_err(|message| wrong("support", message))?;
        }
        if raw.object.trim().is_empty() {
            return Err(wrong("object", "empty: the object's name stands in every sentence".to_owned()));
        }
        let patient = match &raw.patient {
            None => None,
            Some(pattern) => Some(Regex::new(pattern).map_err(|e| wrong("patient", format!("no valid pattern: {e}")))?),
        };
        Ok(Self {
            layout: raw.layout,
            object: raw.object,
            modality: raw.modality,
            masks: raw.masks,
            mask_values: raw.mask_values,
            support: raw.support,
            patient,
            source: raw.source,
            licence: raw.licence,
            published_name: raw.published_name,
            counts: raw.counts,
            csv: raw.csv.unwrap_or_else(|| "images.csv".to_owned()),
            phantom,
            root,
            lists,
            registry: path.to_owned(),
            name,
        })
    }
}

/// All entries of a `datasets.toml`, by name.
#[derive(Clone, Debug)]
pub struct Registry {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
}

impl Registry {
    /// Reads a registry file.
    ///
    /// # Errors
    /// [`DataError::Io`], [`DataError::Syntax`] with line, column and suggestion, [`DataError::Entry`].
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(DataError::io("read", path))?;
        Self::parse(&text, path)
    }

    /// [`Registry::load`] on a text; `path` is for messages and relative roots.
    ///
    /// # Errors
    /// [`DataError::Syntax`], [`DataError::Entry`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let raw: BTreeMap<String, Raw> = toml::from_str(text).map_err(|e| syntax_error(path, text, &e))?;
        let entries = raw
            .into_iter()
            .map(|(name, raw)| Ok((name.clone(), Entry::check(name, raw, path)?)))
            .collect::<Result<_>>()?;
        Ok(Self { path: path.to_owned(), entries })
    }

    /// Every entry as generated data of this kind, each from a seed of its own: the same names, objects and masks, without
    /// files and without what is known of them. An experiment can be tried out on it at no cost.
    #[must_use]
    pub fn generated(&self, spec: PhantomSpec) -> Self {
        let entries = (0..).zip(&self.entries).map(|(number, (name, entry))| {
            let phantom = PhantomSpec { seed: spec.seed.wrapping_add(number), ..spec };
            let entry = Entry {
                layout: Layout::Phantom,
                mask_values: MaskValues::default(),
                support: None,
                patient: None,
                source: None,
                licence: None,
                published_name: None,
                counts: Counts::default(),
                phantom,
                root: None,
                lists: None,
                ..entry.clone()
            };
            (name.clone(), entry)
        });
        Self { path: self.path.clone(), entries: entries.collect() }
    }

    /// The entry of that name.
    ///
    /// # Errors
    /// [`DataError::UnknownDataset`] with the nearest name and all names.
    pub fn get(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| DataError::UnknownDataset {
            name: name.to_owned(),
            path: self.path.clone(),
            suggestion: nearest(name, self.names()),
            known: self.names().map(str::to_owned).collect(),
        })
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
