//! What a backend written in Rust implements: safe traits over checked slices, without pointers. The C functions that
//! call them are made by [`crate::export_backend!`].
//!
//! Before a method runs, shapes, types, lengths and indices have been checked against what `shape()` says, and the
//! outputs are exclusive. A panic is caught and becomes status `internal`; the session stays open, so leave it usable.
//! The host's thread calls; it may change between calls, never during one, hence `Send`.

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::failure::Failure;
pub use crate::options::{
    Capability, Description, ImageTowerOptions, Model, Precision, SessionOptions, TextTowerOptions, TrainerOptions,
};
pub use crate::status::Status;
pub use crate::tensor::{DType, NamedTensor, TensorRef};

/// A JSON option that the method defines, as the method's type.
///
/// # Errors
/// It does not parse; the key and the cause are named.
pub fn parse<T: DeserializeOwned>(key: &str, value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|cause| Failure::invalid(format!("option `{key}`: {cause}")))
}

/// Named tensors lent for one call. Names are unique.
#[derive(Clone, Debug, Default)]
pub struct Tensors<'a>(pub(crate) Vec<NamedTensor<'a>>);

impl<'a> Tensors<'a> {
    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<TensorRef<'a>> {
        self.0.iter().find(|named| named.name == name).map(|named| named.tensor)
    }

    /// The tensor of this name, which must have this shape.
    ///
    /// # Errors
    /// It is missing or has another shape; both shapes are named.
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<TensorRef<'a>, Failure> {
        let tensor = self.get(name).ok_or_else(|| Failure::invalid(format!("tensor `{name}` is missing")))?;
        tensor.shaped(&format!("tensor `{name}`"), shape)
    }

    /// All of them, in the caller's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = NamedTensor<'a>> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A caller's buffer for one named f32 tensor.
#[derive(Debug)]
pub struct Output<'a> {
    /// Name of the parameter.
    pub name: &'a str,
    /// Shape the caller expects.
    pub shape: &'a [usize],
    /// Where values go, as many as the shape says.
    pub values: &'a mut [f32],
    pub(crate) filled: bool,
}

/// Buffers for named f32 tensors, all of which are to be filled. Names are unique.
#[derive(Debug, Default)]
pub struct Outputs<'a>(pub(crate) Vec<Output<'a>>);

impl<'a> Outputs<'a> {
    /// Whether the caller wants this tensor.
    pub fn wants(&self, name: &str) -> bool {
        self.0.iter().any(|output| output.name == name)
    }

    /// Names the caller wants.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.0.iter().map(|output| output.name)
    }

    /// Gives the tensor of this name; one that nobody wants is ignored. A tensor that is wanted and never given makes
    /// the call fail with `invalid argument` and its name.
    ///
    /// # Errors
    /// The caller expects another shape; both are named.
    pub fn fill(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<(), Failure> {
        let Some(output) = self.0.iter_mut().find(|output| output.name == name) else { return Ok(()) };
        if output.shape != shape {
            return Err(Failure::invalid(format!("tensor `{name}` has shape {shape:?}, asked for {:?}", output.shape)));
        }
        if output.values.len() != values.len() {
            let n = values.len();
            return Err(Failure::internal(format!("{n} values given for tensor `{name}` of shape {shape:?}")));
        }
        output.values.copy_from_slice(values);
        output.filled = true;
        Ok(())
    }
}

/// Images of a batch, `[B, 3, S, S]`, RGB, before `normalize`.
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// 0 to 255, to be divided by 255.
    U8(&'a [u8]),
    /// 0 to 1.
    F32(&'a [f32]),
}

/// Peak memory of the process or session as the backend knows it, in bytes; 0 is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Peak of host memory.
    pub host_peak_bytes: u64,
    /// Peak of device memory.
    pub device_peak_bytes: u64,
}

/// Sizes of an image tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageTowerShape {
    /// Side of an image, S, in pixels.
    pub image_size: usize,
    /// Taps.
    pub taps: usize,
    /// Tokens of an image, T, class token included.
    pub tokens: usize,
    /// Width, W.
    pub width: usize,
}

impl ImageTowerShape {
    /// Windows of so many patches a side in an image; `None` where there is none.
    pub fn windows(&self, side: usize) -> Option<usize> {
        let grid = self.tokens.saturating_sub(1).isqrt();
        (1..=grid).contains(&side).then(|| (grid - side + 1).pow(2))
    }
}

/// Sizes of a text tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextTowerShape {
    /// Tokens of a sentence, padding included.
    pub context: usize,
    /// Width of token vectors, Wt.
    pub width: usize,
    /// Width of the joint embedding, E.
    pub embed: usize,
}

/// Sizes of a trainer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainerShape {
    /// Side of an image and its mask, S, in pixels.
    pub image_size: usize,
    /// Patches a side, G.
    pub grid: usize,
    /// Taps.
    pub taps: usize,
    /// Grids of an image's scores: one a tap of MadCLIP's, more of heads.
    pub grids: usize,
    /// Whether an image has a detection score.
    pub has_detection: bool,
    /// Tokens of an image, T, class token included.
    pub tokens: usize,
    /// Width of taps, W.
    pub width: usize,
    /// Width of the joint embedding, E.
    pub embed: usize,
    /// Whether support images come with masks.
    pub has_masks: bool,
    /// Losses of a step.
    pub losses: usize,
}

/// Buffers for scores of B images.
#[derive(Debug)]
pub struct ScoreBuffers<'a> {
    /// MadCLIP's d = s_ab - s_n of the seg heads, `[B, taps, G, G]`; of heads their logits and distances,
    /// `[B, grids, G, G]`.
    pub grids: &'a mut [f32],
    /// MadCLIP's sum over taps of the aggregated abnormal probability of the det heads, `[B]`; empty for heads.
    pub detection: &'a mut [f32],
    /// MadCLIP's sum over taps of the abnormal probability map, `[B, S, S]`; `None` where nobody wants it.
    pub maps: Option<&'a mut [f32]>,
}

/// A backend.
pub trait Plugin: 'static {
    /// What this backend can do; the functions of other capabilities are null in its table. One that compiles its
    /// kernels adds [`Capability::Compiles`].
    const CAPABILITIES: &'static [Capability] = &Capability::ALL;
    /// An open device.
    type Session: Session;

    /// Name, version, devices, precisions; interface and capabilities are filled in. Must be cheap and must not fail:
    /// leave out a device that can't be had.
    fn describe() -> Description;

    /// Opens a device.
    ///
    /// # Errors
    /// Any; an unknown device is `invalid argument`.
    fn open(options: SessionOptions) -> Result<Self::Session, Failure>;
}

/// An open device. Towers and trainers own what they need of it; they are freed before it.
pub trait Session: Send + 'static {
    /// A loaded image tower. A backend without one names [`Absent`] here.
    type ImageTower: ImageTower;
    /// A loaded text tower, or [`Absent`].
    type TextTower: TextTower;
    /// A trainer, or [`Absent`].
    type Trainer: Trainer;

    /// Loads an image tower from tensors in OpenAI's names. Others may be among them; types may be f32, f16, bf16.
    ///
    /// # Errors
    /// Any; a missing or misshapen tensor is `invalid argument`, a precision it lacks is `unsupported`.
    fn load_image_tower(
        &mut self,
        options: &ImageTowerOptions,
        tensors: &Tensors<'_>,
    ) -> Result<Self::ImageTower, Failure>;

    /// Loads a text tower from tensors in OpenAI's names, without `token_embedding.weight`.
    ///
    /// # Errors
    /// As for images.
    fn load_text_tower(
        &mut self,
        options: &TextTowerOptions,
        tensors: &Tensors<'_>,
    ) -> Result<Self::TextTower, Failure>;

    /// Creates a trainer. `prompts` holds for each side (`normal`, `abnormal`) of learned prompts
    /// `prompt.<side>.embedded` f32 `[7, context, Wt]`, `prompt.<side>.eot` u32 `[7]`, `prompt.<side>.lengths` u32
    /// `[7]`, of fixed prompts `fixed.<side>.embedded` f32 `[N, context, Wt]`, `fixed.<side>.eot` u32 `[N]`; nothing
    /// under `free`, where `text` may be `None` too. For heads it holds `text.direction` f32 `[E]` and, where they feed
    /// the stream, the tower's blocks behind the first tap in OpenAI's names; `text` is `None`. `state` holds every
    /// parameter, f32.
    ///
    /// # Errors
    /// Any; a missing, misshapen or unknown parameter is `invalid argument`, and so are losses other than those of the
    /// options.
    fn create_trainer(
        &mut self,
        options: &TrainerOptions,
        text: Option<&Self::TextTower>,
        prompts: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<Self::Trainer, Failure>;

    /// Peak memory so far. Without an override nothing is known.
    fn memory(&self) -> Memory {
        Memory::default()
    }

    /// The device's rate of products of large f32 matrices, measured now, in 10^9 operations a second. The speed of
    /// towers is compared with it.
    ///
    /// # Errors
    /// Any; `unsupported` without an override, which goes with [`Capability::Gemm`].
    fn gemm_rate(&mut self) -> Result<f64, Failure> {
        Err(Failure::unsupported("this backend does not measure products of matrices"))
    }

    /// For each query `[N, width]` 1 less its largest product with a row of the bank `[M, width]`, to `distances`
    /// `[N]`. N and M are at least 1, and all numbers are finite.
    ///
    /// # Errors
    /// Any; `unsupported` without an override, which goes with
    /// [`Capability::Nearest`].
    fn nearest(&mut self, bank: &[f32], queries: &[f32], width: usize, distances: &mut [f32]) -> Result<(), Failure> {
        let _ = (bank, queries, width, distances);
        Err(Failure::unsupported("this backend compares no tokens with a bank"))
    }
}

/// A frozen image encoder.
pub trait ImageTower: Send + 'static {
    /// Its sizes, against which calls are checked.
    fn shape(&self) -> ImageTowerShape;

    /// Encodes `batch` images; one buffer `[B, T, W]` a tap, in the order of the options.
    ///
    /// # Errors
    /// Any.
    fn encode(&mut self, images: Images<'_>, batch: usize, taps: &mut [&mut [f32]]) -> Result<(), Failure>;

    /// Encodes every window of `side` x `side` patches of `batch` images, row by row, as a sequence of its own: the
    /// class token and the window's patches, each with its position in the whole image, through the blocks up to the
    /// last tap. Writes the class tokens behind the last of these blocks, `[B, n, W]`, where n is
    /// [`ImageTowerShape::windows`].
    ///
    /// # Errors
    /// Any; `unsupported` without an override, which goes with [`Capability::Windows`].
    fn encode_windows(
        &mut self,
        images: Images<'_>,
        batch: usize,
        side: usize,
        windows: &mut [f32],
    ) -> Result<(), Failure> {
        let _ = (images, batch, side, windows);
        Err(Failure::unsupported("this backend encodes no windows"))
    }
}

/// A frozen text encoder.
pub trait TextTower: Send + 'static {
    /// Its sizes, against which calls are checked.
    fn shape(&self) -> TextTowerShape;

    /// Encodes N sentences: token vectors without positions `[N, context, Wt]` and the index of each end-of-text token,
    /// N, to `out` `[N, E]`, not normalised.
    ///
    /// # Errors
    /// Any.
    fn encode(&mut self, embedded: &[f32], eot: &[u32], causal: bool, out: &mut [f32]) -> Result<(), Failure>;
}

/// A model in training, or one that scores.
pub trait Trainer: Send + 'static {
    /// Its sizes, against which calls are checked.
    fn shape(&self) -> TrainerShape;

    /// Holds N more support images: one `[N, T, W]` a tap, labels (1 abnormal, 0 normal), and masks `[N, S, S]` of 0
    /// and 1, given if and only if `has_masks`. Slices are the caller's: copy what you keep.
    ///
    /// # Errors
    /// Any; a full device is `resource exhausted`.
    fn append_support(&mut self, taps: &[&[f32]], labels: &[u8], masks: Option<&[u8]>) -> Result<(), Failure>;

    /// One Adam step on these support images, counted in the order they were appended. Writes the losses that the
    /// options name, in their order, as they were before the update and each summed over taps.
    ///
    /// # Errors
    /// Any; a loss that is not finite is `numeric` and leaves the parameters as they were.
    fn step(&mut self, indices: &[u32], losses: &mut [f32]) -> Result<(), Failure>;

    /// Gradients of a step's loss on these images, without an update.
    ///
    /// # Errors
    /// Any; `unsupported` without an override, which goes with [`Capability::Gradients`].
    fn gradients(&mut self, indices: &[u32], out: &mut Outputs<'_>) -> Result<(), Failure> {
        let _ = (indices, out);
        Err(Failure::unsupported("this backend gives no gradients"))
    }

    /// Gives the parameters asked for.
    ///
    /// # Errors
    /// Any.
    fn read_state(&mut self, out: &mut Outputs<'_>) -> Result<(), Failure>;

    /// Takes a whole state: every parameter, f32. Adam starts again: moments zero, step count zero.
    ///
    /// # Errors
    /// Any; a missing, misshapen or unknown parameter is `invalid argument` and leaves the state as it was.
    fn write_state(&mut self, state: &Tensors<'_>) -> Result<(), Failure>;

    /// Gives Adam's moments: of each parameter `first.<parameter>` and `second.<parameter>` in its shape, zeros where
    /// it has none yet. Returns the steps they come from.
    ///
    /// # Errors
    /// Any; `unsupported` without an override, which goes with [`Capability::Resume`].
    fn read_moments(&mut self, out: &mut Outputs<'_>) -> Result<u64, Failure> {
        let _ = out;
        Err(Failure::unsupported("this backend gives no moments"))
    }

    /// Takes both moments of every parameter, and the steps they come from. With the parameters of the same moment,
    /// which were written before, the next steps are those that would have followed.
    ///
    /// # Errors
    /// Any; a missing, misshapen or unknown moment is `invalid argument` and leaves the moments as they were;
    /// `unsupported` without an override, which goes with [`Capability::Resume`].
    fn write_moments(&mut self, moments: &Tensors<'_>, steps: u64) -> Result<(), Failure> {
        let _ = (moments, steps);
        Err(Failure::unsupported("this backend takes no moments"))
    }

    /// MadCLIP's text vectors `(t_n, t_ab)` of unit length, `[2, E]`.
    ///
    /// # Errors
    /// Any; `unsupported` for heads.
    fn text(&mut self, out: &mut [f32]) -> Result<(), Failure>;

    /// Scores `batch` images from one `[B, T, W]` a tap. Heads with a bank compare them with the normal images held.
    ///
    /// # Errors
    /// Any.
    fn score(&mut self, taps: &[&[f32]], batch: usize, out: ScoreBuffers<'_>) -> Result<(), Failure>;

    /// Bytes of taps that the device has room for now: `None` where it can't tell, 0 where holding them saves nothing.
    fn room(&self) -> Option<u64> {
        None
    }

    /// Holds the taps of `batch` images, one `[B, T, W]` a tap, as the set of this number, which is new, until it is
    /// released. Lack of memory must show in this call.
    ///
    /// # Errors
    /// Any, and nothing is held then; `unsupported` without an override, which goes with [`Capability::HeldTaps`].
    fn hold_taps(&mut self, set: u64, taps: &[&[f32]], batch: usize) -> Result<(), Failure> {
        let _ = (set, taps, batch);
        Err(Failure::unsupported("this backend holds no taps"))
    }

    /// Scores images of a set that is held, each less than its number of images, as [`Trainer::score`] would.
    ///
    /// # Errors
    /// Any; `unsupported` without an override, which goes with [`Capability::HeldTaps`].
    fn score_held(&mut self, set: u64, indices: &[u32], out: ScoreBuffers<'_>) -> Result<(), Failure> {
        let _ = (set, indices, out);
        Err(Failure::unsupported("this backend holds no taps"))
    }

    /// Releases a set that is held.
    ///
    /// # Errors
    /// Any; the set counts as released. `unsupported` without an override, which goes with [`Capability::HeldTaps`].
    fn release_taps(&mut self, set: u64) -> Result<(), Failure> {
        let _ = set;
        Err(Failure::unsupported("this backend holds no taps"))
    }
}

/// Stands for a tower or trainer that a backend does not have; no value of it exists.
#[derive(Clone, Copy, Debug)]
pub enum Absent {}

impl ImageTower for Absent {
    fn shape(&self) -> ImageTowerShape {
        match *self {}
    }

    fn encode(&mut self, _: Images<'_>, _: usize, _: &mut [&mut [f32]]) -> Result<(), Failure> {
        match *self {}
    }
}

impl TextTower for Absent {
    fn shape(&self) -> TextTowerShape {
        match *self {}
    }

    fn encode(&mut self, _: &[f32], _: &[u32], _: bool, _: &mut [f32]) -> Result<(), Failure> {
        match *self {}
    }
}

impl Trainer for Absent {
    fn shape(&self) -> TrainerShape {
        match *self {}
    }

    fn append_support(&mut self, _: &[&[f32]], _: &[u8], _: Option<&[u8]>) -> Result<(), Failure> {
        match *self {}
    }

    fn step(&mut self, _: &[u32], _: &mut [f32]) -> Result<(), Failure> {
        match *self {}
    }

    fn read_state(&mut self, _: &mut Outputs<'_>) -> Result<(), Failure> {
        match *self {}
    }

    fn write_state(&mut self, _: &Tensors<'_>) -> Result<(), Failure> {
        match *self {}
    }

    fn text(&mut self, _: &mut [f32]) -> Result<(), Failure> {
        match *self {}
    }

    fn score(&mut self, _: &[&[f32]], _: usize, _: ScoreBuffers<'_>) -> Result<(), Failure> {
        match *self {}
    }
}
