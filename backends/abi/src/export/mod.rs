//! A plugin's table, made at compile time from a type that implements [`Plugin`].

mod calls;
mod handle;
mod held_calls;
mod scores;
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
                || !(calls::has::<P>(Capability::Gradients)
                    || calls::has::<P>(Capability::Maps)
                    || calls::has::<P>(Capability::Resume)
                    || calls::has::<P>(Capability::HeldTaps)),
            "the capabilities `gradients`, `maps`, `resume` and `held_taps` need `trainer`"
        );
        assert!(
            calls::has::<P>(Capability::ImageTower) || !calls::has::<P>(Capability::Windows),
            "the capability `windows` needs `image_tower`"
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
            image_tower_encode_windows: where_has!(P, Windows, calls, image_tower_encode_windows),
            nearest: where_has!(P, Nearest, calls, nearest),
            trainer_read_moments: where_has!(P, Resume, trainer_calls, trainer_read_moments),
            trainer_write_moments: where_has!(P, Resume, trainer_calls, trainer_write_moments),
            trainer_room: where_has!(P, HeldTaps, held_calls, trainer_room),
            trainer_hold_taps: where_has!(P, HeldTaps, held_calls, trainer_hold_taps),
            trainer_score_held: where_has!(P, HeldTaps, held_calls, trainer_score_held),
            trainer_release_taps: where_has!(P, HeldTaps, held_calls, trainer_release_taps),
        }
    };
    const REFERENCE: &'static Table = &Self::TABLE;
}

/// The table of a backend written in Rust. It lives as long as the process.
pub const fn table_of<P: Plugin>() -> *const Table {
    Of::<P>::REFERENCE
}
