//! A small experiment in a folder of its own, and the program run on it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared by tests, each of which uses a part")]

pub mod outcome;

pub mod files;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a registry, an experiment and a cache.
pub struct Place {
    folder: TempDir,
}

/// A phantom set that takes a moment.
pub const REGISTRY: &str = r#"
[Small]
layout = "phantom"
object = "Brain"
modality = "generated"
masks = true
phantom = { side = 32, valid = 4, test = 6, seed = 1 }
"#;

/// Two epochs of a tiny encoder, under both rules that need no folds.
pub const EXPERIMENT: &str = r#"
name = "small"
datasets = ["Small"]
shots = [2]
draws = [0]
seeds = [0]
backends = ["flex"]
selection = ["last", "best-on-test"]

[encoder]
weights = "synthetic"
seed = 0
image_size = 32
taps = [1, 2]

[encoder.arch]
image_size = 32
patch = 8
width = 64
layers = 2
heads = 2
embed = 32
vocab = 49408
context = 77
text_width = 32
text_layers = 1
text_heads = 1

[train]
epochs = 2
"#;

impl Place {
    /// With [`REGISTRY`] and [`EXPERIMENT`].
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write("datasets.toml", REGISTRY);
        place.write("small.toml", EXPERIMENT);
        place
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The experiment with a part of it replaced, which must be there.
    pub fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file("small.toml")).unwrap();
        assert!(text.contains(from), "no `{from}`");
        self.write("small.toml", &text.replacen(from, to, 1));
    }

    /// The program with these arguments, in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(arguments).current_dir(self.path()).env_remove("HARNESS_BACKENDS");
        command
    }

    pub fn harness(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// `harness run small.toml`, with its own cache and results in `out`.
    pub fn run(&self, further: &[&str]) -> Ended {
        let mut arguments = vec!["run", "small.toml", "--cache", "cache", "--out", "out"];
        arguments.extend(further);
        self.harness(&arguments)
    }

    /// Rows of `out/results.csv` as maps would be read: header and fields.
    pub fn results(&self) -> Vec<Row> {
        self.rows("out/results.csv")
    }

    /// Rows of a table, likewise.
    pub fn rows(&self, name: &str) -> Vec<Row> {
        let text = std::fs::read_to_string(self.file(name)).unwrap();
        let mut lines = text.lines();
        let header: Vec<String> = lines.next().unwrap().split(',').map(str::to_owned).collect();
        let row = |line: &str| Row(header.iter().cloned().zip(fields(line)).collect());
        lines.map(row).collect()
    }
}

/// Fields of a CSV line.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// A row of a table by column.
#[derive(Debug)]
pub struct Row(Vec<(String, String)>);

impl Row {
    pub fn get(&self, column: &str) -> &str {
        &self.0.iter().find(|(name, _)| name == column).unwrap_or_else(|| panic!("no column {column}")).1
    }

    pub fn number(&self, column: &str) -> f64 {
        self.get(column).parse().unwrap_or_else(|_| panic!("{column} = `{}`", self.get(column)))
    }
}

/// How a command ended.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Its messages say all of this.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is not in: {}", self.err);
        }
    }

    /// The last line of JSON.
    pub fn last_event(&self) -> serde_json::Value {
        serde_json::from_str(self.out.lines().last().unwrap()).unwrap()
    }
}
