//! The boundary between the harness and a backend: a table of C functions, the traits from which a backend in Rust gets
//! one, and the handles through which the harness calls one.
#![doc = include_str!("../README.md")]
#![expect(unsafe_code, reason = "this crate calls and supplies C functions; nothing unsafe leaves it")]

mod export;
mod export_backend;
mod failure;
pub mod host;
pub mod options;
pub mod plugin;
mod sizes;
pub mod status;
pub mod table;
pub mod tensor;

pub use export::table_of;
