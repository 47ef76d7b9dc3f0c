//! Which modules of a crate import which, and where they do so in a circle.
//!
//! A module is a file. Paths are followed through re-exports, so that `use crate::Error` is an import of the module
//! that defines `Error`. A module and those below it belong together and make no circle; unit tests don't count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::Visit;
use syn::{File, ItemMod, ItemUse, UseTree, Visibility};

/// A module by the names that lead to it; the crate's root is empty.
type Module = Vec<String>;

/// Circles of a crate with this source folder, each sorted, each module named by its path.
pub(crate) fn circles(source: &Path) -> Vec<Vec<String>> {
    let mut files = BTreeMap::new();
    read(source, &mut Vec::new(), &mut files);
    let graph = graph(&files);
    let mut circles: Vec<Vec<String>> = Vec::new();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        graph.keys().map(|module| (module, reach(&graph, module))).collect();
    let mut done = BTreeSet::new();
    for module in graph.keys() {
        let circle: BTreeSet<&Module> =
            reached[module].iter().copied().filter(|other| reached[*other].contains(module)).collect();
        if circle.len() > 1 && !done.contains(module) {
            done.extend(circle.iter().copied());
            circles.push(circle.iter().map(|module| module.join("::")).collect());
        }
    }
    circles
}

fn read(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, File>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            module.push(stem);
            read(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut name = module.clone();
            if !["lib", "main", "mod"].contains(&stem.as_str()) {
                name.push(stem);
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(name, file);
        }
    }
}

/// Paths that a file mentions, and what it re-exports under which name.
struct Paths<'a> {
    module: &'a Module,
    known: &'a BTreeSet<Module>,
    mentioned: Vec<Module>,
    exported: BTreeMap<String, Module>,
}

impl Paths<'_> {
    /// A path from the crate's root; `None` for one of another crate, or of a local name.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let first = path.first()?;
        match first.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([self.module, &path[1..]].concat()),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                let base = self.module.len().checked_sub(up)?;
                Some([&self.module[..base], &path[up..]].concat())
            }
            _ => {
                let below = [self.module.as_slice(), &path[..1]].concat();
                self.known.contains(&below).then(|| [self.module.as_slice(), path].concat())
            }
        }
    }

    fn used(&mut self, tree: &UseTree, prefix: &mut Module, public: bool) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.used(&path.tree, prefix, public);
                prefix.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| self.used(item, prefix, public)),
            UseTree::Glob(_) => self.mentioned.extend(self.absolute(prefix)),
            UseTree::Name(_) | UseTree::Rename(_) => {
                let (name, alias) = match tree {
                    UseTree::Rename(rename) => (rename.ident.to_string(), rename.rename.to_string()),
                    UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
                    _ => return,
                };
                let mut whole = prefix.clone();
                if name != "self" {
                    whole.push(name);
                }
                if let Some(path) = self.absolute(&whole) {
                    if public {
                        self.exported.insert(alias, path.clone());
                    }
                    self.mentioned.push(path);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let tests = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "test")
        });
        if !tests {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        self.used(&item.tree, &mut Vec::new(), public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Module = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.mentioned.extend(self.absolute(&names));
        }
        syn::visit::visit_path(self, path);
    }
}

fn graph(files: &BTreeMap<Module, File>) -> BTreeMap<Module, BTreeSet<Module>> {
    let known: BTreeSet<Module> = files.keys().cloned().collect();
    let mut mentioned = BTreeMap::new();
    let mut exported = BTreeMap::new();
    for (module, file) in files {
        let mut paths = Paths { module, known: &known, mentioned: Vec::new(), exported: BTreeMap::new() };
        paths.visit_file(file);
        mentioned.insert(module.clone(), paths.mentioned);
        exported.insert(module.clone(), paths.exported);
    }
    let mut graph = BTreeMap::new();
    for (module, paths) in mentioned {
        let imported = paths.iter().filter_map(|path| defines(path, &known, &exported, 0));
        // A module and those below it belong together.
        let apart = |other: &Module| !other.starts_with(&module) && !module.starts_with(other);
        graph.insert(module.clone(), imported.filter(apart).collect());
    }
    graph
}

/// The module that defines what a path names, through re-exports.
fn defines(
    path: &Module,
    known: &BTreeSet<Module>,
    exported: &BTreeMap<Module, BTreeMap<String, Module>>,
    depth: usize,
) -> Option<Module> {
    let length = (0..=path.len()).rev().find(|length| known.contains(&path[..*length]))?;
    let module = path[..length].to_vec();
    let further = path.get(length).and_then(|name| exported.get(&module)?.get(name));
    match further {
        Some(target) if depth < 8 && target != path => {
            let whole = [target.as_slice(), &path[length + 1..]].concat();
            defines(&whole, known, exported, depth + 1)
        }
        _ => Some(module),
    }
}

/// Modules that can be reached from one, itself included where a circle leads back.
fn reach<'a>(graph: &'a BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = graph[from].iter().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(&graph[module]);
        }
    }
    reached
}
