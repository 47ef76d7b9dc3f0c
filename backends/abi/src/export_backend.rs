//! The macro that makes a type a backend: statically linked, or with the one symbol of a plugin.

/// Makes a [`crate::plugin::Plugin`] a backend.
///
/// `export_backend!(MyPlugin)` gives the module `pub fn table() -> *const Table`, which a loader reads, and
/// `pub fn backend() -> Result<host::Backend, host::LoadError>`, for a program that links the backend statically.
/// `export_backend!(MyPlugin, symbol)` gives the exported C function `harness_backend_table` besides: for a shared
/// library, and at most once in what is linked together.
///
/// `export_backend!(MyPlugin, symbol, help = "...")` leaves a text in the library that is shown where it can't be
/// loaded, such as where to get another library that it needs: see [`crate::host::HELP_MARK`].
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
