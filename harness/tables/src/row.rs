//! What a row of a table is, and the macro that makes a struct one.

use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType};

use crate::TablesError;
use crate::cell::Field;

/// A row type: a struct whose fields are columns of the same names, in the same order; what a field needs more stands
/// after all of them. [`row!`](crate::row) makes one.
pub trait Row: Sized {
    /// The table's name, as in a file's metadata.
    const TABLE: &'static str;

    /// Names and types of the columns, in order.
    #[doc(hidden)]
    fn kinds() -> Vec<(&'static str, Kind)>;

    /// The rows as columns.
    #[doc(hidden)]
    fn columns(rows: &[Self]) -> Vec<Filled>;

    /// The rows of these columns. Further columns are ignored.
    #[doc(hidden)]
    fn rows(found: &Found<'_>) -> Result<Vec<Self>, TablesError>;
}

/// Polars' type of a column, which users of the macro need not know.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Kind(pub(crate) DataType);

/// A column with its values.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Filled(Column);

/// Columns that rows are made of, and the file that they are from.
#[doc(hidden)]
pub struct Found<'a> {
    frame: &'a DataFrame,
    path: &'a Path,
}

/// The kinds of the columns of fields, given field by field: first the columns of their names, then what they need
/// more.
#[doc(hidden)]
pub fn kinds(fields: Vec<Vec<(&'static str, Kind)>>) -> Vec<(&'static str, Kind)> {
    in_order(fields)
}

/// The columns of fields in the same order.
#[doc(hidden)]
pub fn all_filled(fields: Vec<Vec<Filled>>) -> Vec<Filled> {
    in_order(fields)
}

fn in_order<T>(fields: Vec<Vec<T>>) -> Vec<T> {
    let (mut named, mut more) = (Vec::with_capacity(fields.len()), Vec::new());
    for field in fields {
        let mut columns = field.into_iter();
        named.extend(columns.next());
        more.extend(columns);
    }
    named.extend(more);
    named
}

#[doc(hidden)]
pub fn kind<T: Field>(name: &'static str) -> Vec<(&'static str, Kind)> {
    T::kinds(name).into_iter().map(|(name, dtype)| (name, Kind(dtype))).collect()
}

#[doc(hidden)]
pub fn filled<'a, T: Field + 'a>(name: &'static str, values: impl Iterator<Item = &'a T>) -> Vec<Filled> {
    T::columns(name, values).into_iter().map(Filled).collect()
}

impl<'a> Found<'a> {
    pub(crate) fn new(frame: &'a DataFrame, path: &'a Path) -> Self {
        Self { frame, path }
    }

    /// The values of a named field.
    #[doc(hidden)]
    pub fn values<T: Field>(&self, column: &'static str) -> Result<Vec<T>, TablesError> {
        let wrong = |what| TablesError::Column { path: self.path.to_owned(), column, what };
        T::found(self.frame, column).map_err(wrong)
    }
}

/// The rows as a frame.
pub(crate) fn frame<R: Row>(rows: &[R]) -> Result<DataFrame, TablesError> {
    Ok(DataFrame::new(rows.len(), R::columns(rows).into_iter().map(|Filled(column)| column).collect())?)
}

/// Makes a struct whose fields are the columns of a table.
#[macro_export]
macro_rules! row {
    ($(#[$meta:meta])* $name:ident is $table:literal { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $crate::Row for $name {
            const TABLE: &'static str = $table;

            fn kinds() -> Vec<(&'static str, $crate::macros::Kind)> {
                $crate::macros::kinds(vec![$($crate::macros::kind::<$type>(stringify!($field))),*])
            }

            fn columns(rows: &[Self]) -> Vec<$crate::macros::Filled> {
                $crate::macros::all_filled(vec![
                    $($crate::macros::filled(stringify!($field), rows.iter().map(|row| &row.$field))),*
                ])
            }

            fn rows(found: &$crate::macros::Found<'_>) -> Result<Vec<Self>, $crate::TablesError> {
                $(let mut $field = found.values::<$type>(stringify!($field))?.into_iter();)*
                // Columns of a frame are equally long: the first that ends ends them all.
                Ok(std::iter::from_fn(|| Some(Self { $($field: $field.next()?),* })).collect())
            }
        }
    };
}
