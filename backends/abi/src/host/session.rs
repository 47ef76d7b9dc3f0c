//! An open device on the host's side: it loads towers, creates trainers, and knows memory and speed.

use std::ptr::NonNull;
use std::rc::Rc;

use serde::Serialize;

use super::open::Open;
use super::raw::{self, Inputs};
use super::towers::{ImageTower, TextTower, items};
use super::trainer::Trainer;
use super::{Backend, BackendError};
use crate::options::{Capability, ImageTowerOptions, Model, SessionOptions, TextTowerOptions, TrainerOptions};
use crate::plugin::{Failure, Memory};
use crate::table;
use crate::tensor::NamedTensor;

/// An open device. Closed when it and all that came from it are dropped.
#[derive(Debug)]
pub struct Session(Rc<Open>);

impl Backend {
    /// Opens a device.
    ///
    /// # Errors
    /// The backend's.
    pub fn open(&self, options: &SessionOptions) -> Result<Session, BackendError> {
        const CALL: &str = "session_open";
        let json = self.json(CALL, options)?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the text and the handle's variable live through the call.
        let code = unsafe { (self.0.session_open)(json.as_ptr().cast(), json.len(), &raw mut handle) };
        self.check(CALL, std::ptr::null(), code)?;
        let handle = NonNull::new(handle).ok_or_else(|| self.no_handle(CALL))?;
        Ok(Session(Rc::new(Open { backend: self.clone(), handle })))
    }
}

impl Session {
    /// The backend that opened it.
    pub fn backend(&self) -> &Backend {
        &self.0.backend
    }

    /// Loads an image tower from tensors in OpenAI's names.
    ///
    /// # Errors
    /// Sizes or lengths that don't fit, a missing capability, or the backend's.
    pub fn load_image_tower(
        &self,
        options: &ImageTowerOptions,
        tensors: &[NamedTensor<'_>],
    ) -> Result<ImageTower, BackendError> {
        const CALL: &str = "image_tower_load";
        let backend = self.backend();
        let load = backend.function(CALL, Capability::ImageTower, |table| table.image_tower_load)?;
        let encode = backend.function(CALL, Capability::ImageTower, |table| table.image_tower_encode)?;
        let free = backend.function(CALL, Capability::ImageTower, |table| table.image_tower_free)?;
        let shape = options.shape().map_err(|failure| self.0.error(CALL, failure))?;
        let handle = self.load_tower(CALL, load, options, tensors)?;
        // Checked where it is asked for.
        let windows = backend.function(CALL, Capability::Windows, |table| table.image_tower_encode_windows).ok();
        Ok(ImageTower { session: Rc::clone(&self.0), handle, shape, encode, windows, free })
    }

    /// Loads a text tower from tensors in OpenAI's names, without `token_embedding.weight`: the host gathers token
    /// vectors.
    ///
    /// # Errors
    /// As for images.
    pub fn load_text_tower(
        &self,
        options: &TextTowerOptions,
        tensors: &[NamedTensor<'_>],
    ) -> Result<TextTower, BackendError> {
        const CALL: &str = "text_tower_load";
        let backend = self.backend();
        let load = backend.function(CALL, Capability::TextTower, |table| table.text_tower_load)?;
        let encode = backend.function(CALL, Capability::TextTower, |table| table.text_tower_encode)?;
        let free = backend.function(CALL, Capability::TextTower, |table| table.text_tower_free)?;
        let shape = options.shape().map_err(|failure| self.0.error(CALL, failure))?;
        let handle = self.load_tower(CALL, load, options, tensors)?;
        Ok(TextTower::new(Rc::clone(&self.0), handle, shape, encode, free))
    }

    /// Calls a tower's `load`.
    fn load_tower<T>(
        &self,
        call: &'static str,
        load: table::TowerLoad<T>,
        options: &impl Serialize,
        tensors: &[NamedTensor<'_>],
    ) -> Result<NonNull<T>, BackendError> {
        let json = self.backend().json(call, options)?;
        let inputs = Inputs::new(tensors).map_err(|failure| self.0.error(call, failure))?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the session is open; text, tensors and the handle's variable live through the call.
        let code = unsafe {
            let (text, length) = (json.as_ptr().cast(), json.len());
            load(self.0.handle.as_ptr(), text, length, inputs.as_ptr(), inputs.len(), &raw mut handle)
        };
        self.0.check(call, code)?;
        self.0.handle(call, handle)
    }

    /// Creates a trainer. `prompts` holds for each side (`normal`, `abnormal`) of learned prompts
    /// `prompt.<side>.embedded` f32 `[7, context, Wt]`, `prompt.<side>.eot` u32 `[7]`, `prompt.<side>.lengths` u32
    /// `[7]`, of fixed prompts `fixed.<side>.embedded` f32 `[N, context, Wt]`, `fixed.<side>.eot` u32 `[N]`; nothing
    /// under `free`, where `text` is not needed either. `state` holds every parameter, f32.
    ///
    /// # Errors
    /// Sizes or lengths that don't fit, a text tower of another session, a missing capability, or the backend's.
    pub fn create_trainer(
        &self,
        options: &TrainerOptions,
        text: Option<&TextTower>,
        prompts: &[NamedTensor<'_>],
        state: &[NamedTensor<'_>],
    ) -> Result<Trainer, BackendError> {
        const CALL: &str = "trainer_create";
        let backend = self.backend();
        let capability = match options.model {
            Model::Madclip => Capability::Trainer,
            Model::Heads => Capability::Heads,
        };
        let create = backend.function(CALL, capability, |table| table.trainer_create)?;
        let functions = Trainer::functions(backend, CALL)?;
        let shape = options.shape().map_err(|failure| self.0.error(CALL, failure))?;
        let json = backend.json(CALL, options)?;
        let prompts = Inputs::new(prompts).map_err(|failure| self.0.error(CALL, failure))?;
        let state = Inputs::new(state).map_err(|failure| self.0.error(CALL, failure))?;
        if text.is_some_and(|text| !text.is_of(&self.0)) {
            return Err(self.0.error(CALL, Failure::invalid("the text tower belongs to another session")));
        }
        let tower = text.map_or(std::ptr::null_mut(), TextTower::as_ptr);
        let mut handle = std::ptr::null_mut();
        // SAFETY: the session is open and the tower, if any, is its own; text, tensors and the handle's variable live
        // through the call.
        let code = unsafe {
            create(
                self.0.handle.as_ptr(),
                json.as_ptr().cast(),
                json.len(),
                tower,
                prompts.as_ptr(),
                prompts.len(),
                state.as_ptr(),
                state.len(),
                &raw mut handle,
            )
        };
        self.0.check(CALL, code)?;
        let handle = self.0.handle(CALL, handle)?;
        Ok(Trainer::new(Rc::clone(&self.0), handle, shape, functions, text))
    }

    /// Peak memory so far, as the backend knows it; 0 is unknown.
    ///
    /// # Errors
    /// A missing capability, or the backend's.
    pub fn memory(&self) -> Result<Memory, BackendError> {
        const CALL: &str = "memory";
        let memory_of = self.backend().function(CALL, Capability::Memory, |table| table.memory)?;
        let mut memory = table::Memory { size: size_of::<table::Memory>(), host_peak_bytes: 0, device_peak_bytes: 0 };
        // SAFETY: the session is open; the struct says its size.
        let code = unsafe { memory_of(self.0.handle.as_ptr(), &raw mut memory) };
        self.0.check(CALL, code)?;
        Ok(Memory { host_peak_bytes: memory.host_peak_bytes, device_peak_bytes: memory.device_peak_bytes })
    }

    /// The device's rate of products of large f32 matrices, measured now, in 10^9 operations a second.
    ///
    /// # Errors
    /// A missing capability, a rate that is not a positive number, or the backend's.
    pub fn gemm_rate(&self) -> Result<f64, BackendError> {
        const CALL: &str = "gemm_rate";
        let gemm_rate = self.backend().function(CALL, Capability::Gemm, |table| table.gemm_rate)?;
        let mut gflops = 0.0;
        // SAFETY: the session is open; `gflops` lives through the call.
        let code = unsafe { gemm_rate(self.0.handle.as_ptr(), &raw mut gflops) };
        self.0.check(CALL, code)?;
        if gflops.is_finite() && gflops > 0.0 {
            Ok(gflops)
        } else {
            Err(self.0.error(CALL, Failure::internal(format!("a rate of {gflops}"))))
        }
    }

    /// For each query `[n, width]` 1 less its largest product with a row of the bank `[m, width]`, both at least 1.
    ///
    /// # Errors
    /// Lengths that don't fit, a missing capability, a distance that is not finite (`numeric`), or the backend's.
    pub fn nearest(&self, bank: &[f32], queries: &[f32], width: usize) -> Result<Vec<f32>, BackendError> {
        const CALL: &str = "nearest";
        let nearest = self.backend().function(CALL, Capability::Nearest, |table| table.nearest)?;
        let (m, n) = (bank.len() / width.max(1), queries.len() / width.max(1));
        let (bank_shape, query_shape) = ([m, width], [n, width]);
        let checked = (|| {
            items("rows of a bank", m)?;
            items("queries", n)?;
            raw::check("the bank", bank.len(), &bank_shape)?;
            raw::check("the queries", queries.len(), &query_shape)
        })();
        checked.map_err(|failure| self.0.error(CALL, failure))?;
        let distances = raw::buffer("distances", &query_shape[..1]);
        let mut distances = distances.map_err(|failure| self.0.error(CALL, failure))?;
        let (bank, queries) = (raw::input(&bank_shape, bank), raw::input(&query_shape, queries));
        let output = raw::output(&query_shape[..1], &mut distances);
        // SAFETY: the session is open, the tensors live through the call, and the distances are nobody else's.
        let code = unsafe { nearest(self.0.handle.as_ptr(), &raw const bank, &raw const queries, &raw const output) };
        self.0.check(CALL, code)?;
        raw::finite("a distance", &distances).map_err(|failure| self.0.error(CALL, failure))?;
        Ok(distances)
    }
}
