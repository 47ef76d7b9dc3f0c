//! The boundary between the harness and a backend: a table of C functions, what a backend in Rust implements to supply
//! one, and what the harness uses to call one. No backend and no model is here.
#![doc = include_str!("../README.md")]
#![expect(unsafe_code, reason = "C functions and pointers are what this crate is for; nothing unsafe leaves it")]

mod export;
pub mod host;
pub mod options;
pub mod plugin;
mod sizes;
pub mod status;
pub mod table;
pub mod tensor;

pub use export::table_of;
