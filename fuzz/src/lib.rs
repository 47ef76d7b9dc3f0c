//! Generators for the fuzz targets: they turn a fuzzer's bytes into inputs that get past the first check of what is
//! tested.

pub mod archive;
pub mod pickle;
pub mod picture;
pub mod results;
pub mod scratch;
pub mod seeds;
pub mod tensors;
pub mod tokens;
