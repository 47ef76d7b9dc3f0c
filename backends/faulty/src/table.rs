//! The exported symbol, and the ways in which its table can be wrong.

use harness_backend_abi::table::{MAJOR, REQUIRED_SIZE, Table, Tensor, TrainerHandle};
use harness_backend_abi::table_of;

use crate::fault::{Garbage, is_tuned, strike};
use crate::model::Faulty;
use crate::tuned;

/// Runs while the library is opened, before anybody can ask it anything.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static ON_LOAD: extern "C" fn() = {
    extern "C" fn on_load() {
        // The crate is also linked into tests, where nothing is loaded.
        if crate::name::of_this_library().is_some() {
            drop(strike("load", 1));
        }
    }
    on_load
};

/// A table with appended fields, as a newer version has it.
#[repr(C)]
struct Newer {
    table: Table,
    appended: [usize; 8],
}

/// Holds nothing, and gives a number that is no set's.
extern "C" fn lost_set(_: *mut TrainerHandle, _: *const Tensor, _: usize, set: *mut u64) -> i32 {
    // SAFETY: the host lends a number for the answer.
    unsafe { set.write(7) };
    0
}

/// The one exported symbol.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn harness_backend_table() -> *const Table {
    if is_tuned() {
        return table_of::<tuned::Plugin>();
    }
    // SAFETY: the table of a backend in Rust, for the whole process.
    let mut table = unsafe { *table_of::<Faulty>() };
    let Ok(garbage) = strike("table", 1) else { return std::ptr::null() };
    match garbage {
        Some(Garbage::NoTable) => return std::ptr::null(),
        Some(Garbage::Magic) => table.magic = u64::from_be_bytes(*b"NOTHARNS"),
        Some(Garbage::Major) => (table.major, table.minor) = (MAJOR + 1, 7),
        Some(Garbage::SizeShort) => table.size = REQUIRED_SIZE - size_of::<usize>(),
        Some(Garbage::SizeLong) => (table.size, table.minor) = (size_of::<Newer>(), table.minor + 1),
        Some(Garbage::NoFunction) => table.session_open = None,
        Some(Garbage::NoTrainer) => table.trainer_step = None,
        Some(Garbage::LostSet) => table.trainer_hold_taps = Some(lost_set),
        _ => {}
    }
    let newer: &'static Newer = Box::leak(Box::new(Newer { table, appended: [usize::MAX; 8] }));
    &raw const newer.table
}
