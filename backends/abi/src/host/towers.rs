//! The frozen encoders on the host's side: lengths checked, then one call each.

use std::ptr::NonNull;
use std::rc::Rc;

use super::BackendError;
use super::open::Open;
use super::raw::{self, Element};
use crate::options::Capability;
use crate::plugin::{Failure, ImageTowerShape, TextTowerShape};
use crate::table::{self, ImageTowerHandle, TextTowerHandle};

/// A loaded image tower. Freed when dropped.
#[derive(Debug)]
pub struct ImageTower {
    pub(super) session: Rc<Open>,
    pub(super) handle: NonNull<ImageTowerHandle>,
    pub(super) shape: ImageTowerShape,
    pub(super) encode: table::ImageTowerEncode,
    /// There where the backend has the capability.
    pub(super) windows: Option<table::ImageTowerEncodeWindows>,
    pub(super) free: table::ImageTowerFree,
}

impl Drop for ImageTower {
    fn drop(&mut self) {
        // SAFETY: the handle came from `image_tower_load`; the session is still open. Nobody is left to hear of a
        // failure.
        unsafe { (self.free)(self.handle.as_ptr()) };
    }
}

impl ImageTower {
    /// Its sizes.
    pub fn shape(&self) -> ImageTowerShape {
        self.shape
    }

    /// Encodes `batch` images of 0 to 255, `[batch, 3, S, S]`, before `normalize`: fills one `[batch, T, W]` a tap.
    ///
    /// # Errors
    /// Lengths that don't fit, a tap that is not finite (`numeric`), or the backend's.
    pub fn encode_u8(&mut self, images: &[u8], batch: usize, taps: &mut [&mut [f32]]) -> Result<(), BackendError> {
        self.run(images, batch, taps)
    }

    /// Encodes `batch` images of 0 to 1, `[batch, 3, S, S]`, before `normalize`: fills one `[batch, T, W]` a tap.
    ///
    /// # Errors
    /// As for [`ImageTower::encode_u8`].
    pub fn encode_f32(&mut self, images: &[f32], batch: usize, taps: &mut [&mut [f32]]) -> Result<(), BackendError> {
        self.run(images, batch, taps)
    }

    fn run<T: Element>(&mut self, images: &[T], batch: usize, taps: &mut [&mut [f32]]) -> Result<(), BackendError> {
        const CALL: &str = "image_tower_encode";
        let ImageTowerShape { image_size, taps: count, tokens, width } = self.shape;
        let (image_shape, tap_shape) = ([batch, 3, image_size, image_size], [batch, tokens, width]);
        let checked = (|| {
            items("images", batch)?;
            raw::check("images", images.len(), &image_shape)?;
            if taps.len() != count {
                return Err(Failure::invalid(format!("{} buffers for {count} taps", taps.len())));
            }
            taps.iter().try_for_each(|tap| raw::check("a tap", tap.len(), &tap_shape))
        })();
        checked.map_err(|failure| self.session.error(CALL, failure))?;
        taps.iter_mut().for_each(|tap| tap.fill(raw::UNWRITTEN));
        let images = raw::input(&image_shape, images);
        let outputs: Vec<table::Tensor> = taps.iter_mut().map(|tap| raw::output(&tap_shape, tap)).collect();
        // SAFETY: the tower is live, the tensors live through the call, and the buffers are borrowed exclusively.
        let code = unsafe { (self.encode)(self.handle.as_ptr(), &raw const images, outputs.as_ptr(), outputs.len()) };
        self.session.check(CALL, code)?;
        taps.iter().try_for_each(|tap| raw::finite("a tap", tap)).map_err(|failure| self.session.error(CALL, failure))
    }

    /// Encodes the windows of `side` patches a side of `batch` images of 0 to 255, each window as a sequence of its
    /// own: fills `[batch, n, W]` class tokens behind the last tap's block, n as [`ImageTowerShape::windows`] says.
    ///
    /// # Errors
    /// Lengths or a side that don't fit, a missing capability, a token that is not finite (`numeric`), or the
    /// backend's.
    pub fn encode_windows_u8(
        &mut self,
        images: &[u8],
        batch: usize,
        side: usize,
        windows: &mut [f32],
    ) -> Result<(), BackendError> {
        self.run_windows(images, batch, side, windows)
    }

    /// The same of images of 0 to 1.
    ///
    /// # Errors
    /// As for [`ImageTower::encode_windows_u8`].
    pub fn encode_windows_f32(
        &mut self,
        images: &[f32],
        batch: usize,
        side: usize,
        windows: &mut [f32],
    ) -> Result<(), BackendError> {
        self.run_windows(images, batch, side, windows)
    }

    fn run_windows<T: Element>(
        &mut self,
        images: &[T],
        batch: usize,
        side: usize,
        windows: &mut [f32],
    ) -> Result<(), BackendError> {
        const CALL: &str = "image_tower_encode_windows";
        let ImageTowerShape { image_size, width, .. } = self.shape;
        let image_shape = [batch, 3, image_size, image_size];
        let checked = (|| {
            let call = self.windows.ok_or_else(|| {
                Failure::unsupported(format!("the backend lacks the capability `{}`", Capability::Windows.name()))
            })?;
            items("images", batch)?;
            raw::check("images", images.len(), &image_shape)?;
            let n = self.shape.windows(side);
            let n = n.ok_or_else(|| Failure::invalid(format!("no windows of {side} patches a side in an image")))?;
            raw::check("windows", windows.len(), &[batch, n, width])?;
            Ok((call, [batch, n, width]))
        })();
        let (call, shape) = checked.map_err(|failure| self.session.error(CALL, failure))?;
        windows.fill(raw::UNWRITTEN);
        let images = raw::input(&image_shape, images);
        let output = raw::output(&shape, windows);
        // A side is at most that of the grid, which a u32 holds.
        let side = u32::try_from(side).unwrap_or(u32::MAX);
        // SAFETY: the tower is live, the tensors live through the call, and the buffer is borrowed exclusively.
        let code = unsafe { call(self.handle.as_ptr(), &raw const images, side, &raw const output) };
        self.session.check(CALL, code)?;
        raw::finite("a window", windows).map_err(|failure| self.session.error(CALL, failure))
    }
}

/// A loaded text tower. Freed when it and the trainers that use it are dropped.
#[derive(Debug)]
pub struct TextTower(Rc<Loaded>);

/// What a text tower and its trainers share.
#[derive(Debug)]
pub(super) struct Loaded {
    session: Rc<Open>,
    handle: NonNull<TextTowerHandle>,
    shape: TextTowerShape,
    encode: table::TextTowerEncode,
    free: table::TextTowerFree,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: the handle came from `text_tower_load`; the session is still open, and trainers that use the tower
        // hold this value. Nobody is left to hear of a failure.
        unsafe { (self.free)(self.handle.as_ptr()) };
    }
}

impl TextTower {
    pub(super) fn new(
        session: Rc<Open>,
        handle: NonNull<TextTowerHandle>,
        shape: TextTowerShape,
        encode: table::TextTowerEncode,
        free: table::TextTowerFree,
    ) -> Self {
        Self(Rc::new(Loaded { session, handle, shape, encode, free }))
    }

    pub(super) fn is_of(&self, session: &Rc<Open>) -> bool {
        Rc::ptr_eq(&self.0.session, session)
    }

    pub(super) fn as_ptr(&self) -> *mut TextTowerHandle {
        self.0.handle.as_ptr()
    }

    /// Shares the tower, which then lives as long as the share.
    pub(super) fn share(&self) -> Rc<Loaded> {
        Rc::clone(&self.0)
    }

    /// Its sizes.
    pub fn shape(&self) -> TextTowerShape {
        self.0.shape
    }

    /// Encodes N sentences: token vectors without positions `[N, context, Wt]` and the index of each end-of-text token,
    /// N, to features `[N, E]`, not normalised.
    ///
    /// # Errors
    /// Lengths or indices that don't fit, a feature that is not finite (`numeric`), or the backend's.
    pub fn encode(&mut self, embedded: &[f32], eot: &[u32], causal: bool) -> Result<Vec<f32>, BackendError> {
        const CALL: &str = "text_tower_encode";
        let TextTowerShape { context, width, embed } = self.0.shape;
        let n = eot.len();
        let (embedded_shape, feature_shape) = ([n, context, width], [n, embed]);
        let checked = (|| {
            items("sentences", n)?;
            raw::check("embedded", embedded.len(), &embedded_shape)?;
            match eot.iter().find(|&&index| index as usize >= context) {
                Some(index) => Err(Failure::invalid(format!("end-of-text index {index} of {context} tokens"))),
                None => Ok(()),
            }
        })();
        checked.map_err(|failure| self.0.session.error(CALL, failure))?;
        let features = raw::buffer("features", &feature_shape);
        let mut features = features.map_err(|failure| self.0.session.error(CALL, failure))?;
        let (embedded, eot) = (raw::input(&embedded_shape, embedded), raw::input(&embedded_shape[..1], eot));
        let output = raw::output(&feature_shape, &mut features);
        // SAFETY: the tower is live, the tensors live through the call, and the features are nobody else's.
        let code = unsafe {
            let (embedded, eot, output) = (&raw const embedded, &raw const eot, &raw const output);
            (self.0.encode)(self.as_ptr(), embedded, eot, u32::from(causal), output)
        };
        self.0.session.check(CALL, code)?;
        raw::finite("a text feature", &features).map_err(|failure| self.0.session.error(CALL, failure))?;
        Ok(features)
    }
}

/// Refuses a call about nothing.
pub(super) fn items(what: &str, count: usize) -> Result<(), Failure> {
    if count == 0 { Err(Failure::invalid(format!("no {what} given"))) } else { Ok(()) }
}
