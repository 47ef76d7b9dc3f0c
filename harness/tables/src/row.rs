//! What a row of a table is, and the macro that makes a struct one. The tables themselves are in `rows` and `statistics`.

use polars::prelude::{DataFrame, DataType};

use crate::TablesError;
use crate::cell::Cell;

/// A row type: a struct whose fields are columns of the same names, in the same order.
pub trait Row: Sized {
    /// The table's name, as in a file's metadata.
    const TABLE: &'static str;

    /// Names and types of the columns, in order.
    fn columns() -> Vec<(&'static str, DataType)>;

    /// The rows as a frame.
    ///
    /// # Errors
    /// Polars' own.
    fn frame(rows: &[Self]) -> Result<DataFrame, TablesError>;

    /// The rows of a frame that was read from `path`. Further columns are ignored.
    ///
    /// # Errors
    /// A column that is missing or whose type or values don't fit.
    fn rows(frame: &DataFrame, path: &std::path::Path) -> Result<Vec<Self>, TablesError>;
}

macro_rules! row {
    ($(#[$meta:meta])* $name:ident is $table:literal { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $crate::row::Row for $name {
            const TABLE: &'static str = $table;

            fn columns() -> Vec<(&'static str, polars::prelude::DataType)> {
                vec![$((stringify!($field), <$type as $crate::cell::Cell>::TYPE)),*]
            }

            fn frame(rows: &[Self]) -> Result<polars::prelude::DataFrame, $crate::TablesError> {
                let columns = vec![$(
                    <$type as $crate::cell::Cell>::column(stringify!($field), rows.iter().map(|row| row.$field.clone()).collect())
                ),*];
                Ok(polars::prelude::DataFrame::new(rows.len(), columns)?)
            }

            fn rows(
                frame: &polars::prelude::DataFrame,
                path: &std::path::Path,
            ) -> Result<Vec<Self>, $crate::TablesError> {
                $(let mut $field = $crate::row::values::<$type>(frame, stringify!($field), path)?.into_iter();)*
                // Columns of a frame are equally long: the first that ends ends them all.
                Ok(std::iter::from_fn(|| Some(Self { $($field: $field.next()?),* })).collect())
            }
        }
    };
}

/// The values of a named column.
pub(crate) fn values<T: Cell>(
    frame: &DataFrame,
    column: &'static str,
    path: &std::path::Path,
) -> Result<Vec<T>, TablesError> {
    let wrong = |what| TablesError::Column { path: path.to_owned(), column, what };
    let found = frame.column(column).map_err(|_| wrong("missing".to_owned()))?;
    T::values(found).map_err(wrong)
}

pub(crate) use row;
