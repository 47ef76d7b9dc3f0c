//! A backend that compiles: the model in plain Burn, whose products with one direction go wrong as those of tuned
//! kernels did, once they come out of a cache; or whose device has a thread that panics, unnoticed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::Tensor;
use burn_flex::{Flex, FlexDevice};
use harness_backend_abi::host::{Backend, LoadError};
use harness_backend_abi::plugin::{Failure, SessionOptions};
use harness_backend_burn::{BurnBackend, BurnPlugin};
use madclip::kernels::{Cosines, Heads, Linear};
use madclip::{Kernels, Plain};

use crate::fault;

/// As the table knows it.
pub(crate) type Plugin = BurnPlugin<Tuned>;

/// What goes wrong in a product with one direction, whose shape was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The last eighth of its rows, once so many were right.
    AfterHits(u64),
    /// The same rows, where the shape was found in the cache that an earlier process left.
    Stored,
    /// All of it: a thread panics with these words and leaves zeros, once so many were right.
    Thread(u64, &'static str),
}

/// What was tuned, and what goes wrong.
#[derive(Default)]
struct Tuning {
    wrong: Option<Wrong>,
    /// Shapes that this process has seen.
    seen: BTreeSet<[usize; 2]>,
    /// Those that the cache held when the device was opened.
    stored: BTreeSet<[usize; 2]>,
    hits: u64,
    file: Option<PathBuf>,
}

static TUNING: Mutex<Option<Tuning>> = Mutex::new(None);

fn tuning() -> MutexGuard<'static, Option<Tuning>> {
    TUNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This backend in the process itself, where `wrong` goes wrong from the next session on.
///
/// # Errors
/// The table is not what the host expects.
pub fn backend(wrong: Option<Wrong>) -> Result<Backend, LoadError> {
    *tuning() = Some(Tuning { wrong, ..Tuning::default() });
    Backend::built_in::<Plugin>()
}

/// What the variables ask for.
fn asked() -> Option<Wrong> {
    let after = || fault::number("HARNESS_FAULT_AFTER", 0);
    match fault::text("HARNESS_FAULT")?.as_str() {
        "product" => Some(Wrong::AfterHits(after())),
        "cached-product" => Some(Wrong::Stored),
        "thread" => Some(Wrong::Thread(after(), "the requested fault on a thread of the device")),
        "thread-exhausted" => Some(Wrong::Thread(after(), "out of memory on a thread of the device, as requested")),
        other => fault::refuse("HARNESS_FAULT", other),
    }
}

impl Tuning {
    /// Opens a device: what this process tuned is forgotten, and the cache is read.
    fn open(&mut self) {
        let file = std::env::var_os("XDG_CACHE_HOME").map(|folder| PathBuf::from(folder).join("harness-faulty"));
        let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        let shape = |line: &str| {
            let (rows, width) = line.split_once(' ')?;
            Some([rows.parse().ok()?, width.parse().ok()?])
        };
        self.stored = text.lines().filter_map(shape).collect();
        (self.seen, self.hits, self.file) = (BTreeSet::new(), 0, file);
    }

    /// What goes wrong in a product of this shape.
    fn strikes(&mut self, shape: [usize; 2]) -> Option<Wrong> {
        let stored = self.stored.contains(&shape);
        let hit = !self.seen.insert(shape) || stored;
        if !hit {
            self.keep(shape);
            return None;
        }
        self.hits += 1;
        self.wrong.filter(|wrong| match *wrong {
            Wrong::AfterHits(after) | Wrong::Thread(after, _) => self.hits > after,
            Wrong::Stored => stored,
        })
    }

    fn keep(&self, [rows, width]: [usize; 2]) {
        let Some(file) = &self.file else { return };
        // A cache that can't be written is an empty one the next time.
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
        let _ = opened.and_then(|mut file| writeln!(file, "{rows} {width}"));
    }
}

/// The processor, as a device that compiles.
#[derive(Debug)]
pub(crate) struct Tuned;

impl BurnBackend for Tuned {
    type Backend = Flex;
    type Kernels = Mistuned;
    const NAME: &'static str = "faulty";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const COMPILES: bool = true;

    fn devices() -> Vec<String> {
        vec!["cpu".into()]
    }

    fn note() -> Option<String> {
        Some("goes wrong on purpose, for tests".into())
    }

    fn open(_: &SessionOptions) -> Result<Self, Failure> {
        tuning().get_or_insert_with(|| Tuning { wrong: asked(), ..Tuning::default() }).open();
        Ok(Self)
    }

    fn device(&self) -> &FlexDevice {
        &FlexDevice
    }
}

/// Plain kernels, and the faults.
#[derive(Debug)]
pub(crate) struct Mistuned;

impl Kernels<Flex> for Mistuned {
    type Layer = Linear<Flex>;

    fn layer(linear: Linear<Flex>) -> Linear<Flex> {
        linear
    }

    fn linear(x: Tensor<Flex, 2>, layer: &Linear<Flex>) -> Tensor<Flex, 2> {
        Plain::linear(x, layer)
    }

    fn linear_gradient(gradient: Tensor<Flex, 2>, layer: &Linear<Flex>) -> Tensor<Flex, 2> {
        Plain::linear_gradient(gradient, layer)
    }

    fn cosines_with_features(x: Tensor<Flex, 2>, heads: &Heads<Flex>, directions: &Tensor<Flex, 2>) -> Cosines<Flex> {
        let Cosines { values, features } = Plain::cosines_with_features(x, heads, directions);
        let one = directions.dims()[0] == 1;
        let wrong = if one { tuning().as_mut().and_then(|tuning| tuning.strikes(features.dims())) } else { None };
        let values = match wrong {
            None => values,
            Some(Wrong::AfterHits(_) | Wrong::Stored) => {
                let (rows, part) = (values.dims()[0], values.dims()[0].div_ceil(8));
                let kept = values.clone().narrow(0, 0, rows - part);
                Tensor::cat(vec![kept, values.narrow(0, 0, part)], 0)
            }
            Some(Wrong::Thread(_, words)) => {
                // As a device's own thread does: nobody looks at how it ended.
                let _ = std::thread::spawn(move || panic!("{words}")).join();
                values.zeros_like()
            }
        };
        Cosines { values, features }
    }
}
