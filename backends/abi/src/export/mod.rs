//! A plugin's table: made at compile time from a type that implements [`Plugin`]. The functions in it are beside this.

mod calls;
mod handle;
mod trainer_calls;
mod views;

use std::marker::PhantomData;
use std::mem::size_of;

use crate::options::Capability;
use crate::plugin::Plugin;
use crate::table::{self, Table};

struct Of<P>(PhantomData<P>);

/// `Some` where a capability is there, at compile time.
macro_rules! where_has {
    ($plugin:ident, $capability:ident, $calls:ident, $function:ident) => {
        if calls::has::<$plugin>(Capability::$capability) { Some($calls::$function::<$plugin>) } else { None }
    };
}

impl<P: Plugin> Of<P> {
    const TABLE: Table = {
        assert!(
            calls::has::<P>(Capability::Trainer)
                || !(calls::has::<P>(Capability::Gradients) || calls::has::<P>(Capability::Maps)),
            "the capabilities `gradients` and `maps` need `trainer`"
        );
        Table {
            size: size_of::<Table>(),
            magic: table::MAGIC,
            major: table::MAJOR,
            minor: table::MINOR,
            describe: Some(calls::describe::<P>),
            last_error: Some(calls::last_error::<P>),
            session_open: Some(calls::session_open::<P>),
            session_close: Some(calls::session_close::<P>),
            memory: where_has!(P, Memory, calls, memory),
            image_tower_load: where_has!(P, ImageTower, calls, image_tower_load),
            image_tower_encode: where_has!(P, ImageTower, calls, image_tower_encode),
            image_tower_free: where_has!(P, ImageTower, calls, image_tower_free),
            text_tower_load: where_has!(P, TextTower, calls, text_tower_load),
            text_tower_encode: where_has!(P, TextTower, calls, text_tower_encode),
            text_tower_free: where_has!(P, TextTower, calls, text_tower_free),
            trainer_create: where_has!(P, Trainer, trainer_calls, trainer_create),
            trainer_append_support: where_has!(P, Trainer, trainer_calls, trainer_append_support),
            trainer_step: where_has!(P, Trainer, trainer_calls, trainer_step),
            trainer_gradients: where_has!(P, Gradients, trainer_calls, trainer_gradients),
            trainer_read_state: where_has!(P, Trainer, trainer_calls, trainer_read_state),
            trainer_write_state: where_has!(P, Trainer, trainer_calls, trainer_write_state),
            trainer_text: where_has!(P, Trainer, trainer_calls, trainer_text),
            trainer_score: where_has!(P, Trainer, trainer_calls, trainer_score),
            trainer_free: where_has!(P, Trainer, trainer_calls, trainer_free),
            gemm_rate: where_has!(P, Gemm, calls, gemm_rate),
        }
    };
    const REFERENCE: &'static Table = &Self::TABLE;
}

/// The table of a backend written in Rust. It lives as long as the process.
pub const fn table_of<P: Plugin>() -> *const Table {
    Of::<P>::REFERENCE
}

/// Makes a [`Plugin`] a backend.
///
/// `export_backend!(MyPlugin)` gives the module `pub fn table() -> *const Table`, what a loader reads, and
/// `pub fn backend() -> Result<host::Backend, host::LoadError>`, for a program that links the backend statically.
/// `export_backend!(MyPlugin, symbol)` gives the exported C function `harness_backend_table` besides: for a shared
/// library, and at most once in what is linked together.
///
/// `export_backend!(MyPlugin, symbol, help = "...")` leaves a text in the library for those who can't load it, such as
/// where to get another library that it needs: see [`crate::host::HELP_MARK`].
#[macro_export]
macro_rules! export_backend {
    ($plugin:ty) => {
        /// This backend's table of C functions.
        pub fn table() -> *const $crate::table::Table {
            $crate::table_of::<$plugin>()
        }

        /// This backend, linked statically, through the same table as a loaded one.
        ///
        /// # Errors
        /// The table is not what the host expects.
        pub fn backend() -> ::core::result::Result<$crate::host::Backend, $crate::host::LoadError> {
            $crate::host::Backend::built_in::<$plugin>()
        }
    };
    ($plugin:ty, symbol) => {
        $crate::export_backend!($plugin);

        /// The one exported symbol of a plugin.
        #[allow(unsafe_code, reason = "a symbol that a loader finds by name; nothing else is called so")]
        #[unsafe(no_mangle)]
        pub extern "C" fn harness_backend_table() -> *const $crate::table::Table {
            table()
        }
    };
    ($plugin:ty, symbol, help = $help:literal) => {
        $crate::export_backend!($plugin, symbol);

        // Read from the file by `host::HELP_MARK`, never from memory.
        #[used]
        static HARNESS_BACKEND_HELP: &str = concat!("harness backend help: ", $help, "\0");
    };
}
