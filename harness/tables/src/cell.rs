//! How a Rust value becomes a cell of a Polars column and comes back.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NewChunkedArray, PolarsResult, Series, StringChunked};

use harness_method::{ImageScore, Selection};
use harness_metrics::Metric;

use crate::names::{Smoke, Stated, Status};

/// A type that can stand in a column.
pub trait Cell: Sized {
    /// Polars' type of the column.
    fn dtype() -> DataType;

    /// A column of values.
    fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column
    where
        Self: 'a;

    /// The values of a column, or what is wrong with them.
    fn values(column: &Column) -> Result<Vec<Self>, String>;
}

/// A type that a field of a row can have: one that stands in a column, or one that needs several.
pub trait Field: Sized {
    /// Names and Polars' types of its columns, that of the field's name first.
    fn kinds(name: &'static str) -> Vec<(&'static str, DataType)>;

    /// The columns of values.
    fn columns<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Vec<Column>
    where
        Self: 'a;

    /// The values of these columns, or what is wrong with them.
    fn found(frame: &DataFrame, name: &str) -> Result<Vec<Self>, String>;
}

impl<T: Cell> Field for T {
    fn kinds(name: &'static str) -> Vec<(&'static str, DataType)> {
        vec![(name, T::dtype())]
    }

    fn columns<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Vec<Column>
    where
        Self: 'a,
    {
        vec![T::column(name, values)]
    }

    fn found(frame: &DataFrame, name: &str) -> Result<Vec<Self>, String> {
        T::values(frame.column(name).map_err(|_| "missing".to_owned())?)
    }
}

/// What to say of a row without a value where the type needs one.
fn absent(row: usize) -> String {
    format!("no value in row {}", row + 1)
}

fn typed<T>(result: PolarsResult<T>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

macro_rules! number {
    ($type:ty, $accessor:ident, $polars:expr) => {
        impl Cell for $type {
            fn dtype() -> DataType {
                $polars
            }

            fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
                Column::new(name.into(), values.copied().collect::<Vec<_>>())
            }

            fn values(column: &Column) -> Result<Vec<Self>, String> {
                let column = typed(column.$accessor())?;
                column.iter().enumerate().map(|(row, value)| value.ok_or_else(|| absent(row))).collect()
            }
        }

        impl Cell for Option<$type> {
            fn dtype() -> DataType {
                $polars
            }

            fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
                Column::new(name.into(), values.copied().collect::<Vec<_>>())
            }

            fn values(column: &Column) -> Result<Vec<Self>, String> {
                Ok(typed(column.$accessor())?.iter().collect())
            }
        }
    };
}

number!(u32, u32, DataType::UInt32);
number!(u64, u64, DataType::UInt64);
number!(f64, f64, DataType::Float64);
number!(bool, bool, DataType::Boolean);

impl Cell for String {
    fn dtype() -> DataType {
        DataType::String
    }

    fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
        texts(name, values.map(String::as_str))
    }

    fn values(column: &Column) -> Result<Vec<Self>, String> {
        // CSV readers differ on whether nothing between two commas is empty or absent: here it is empty.
        Ok(typed(column.str())?.iter().map(|value| value.unwrap_or_default().to_owned()).collect())
    }
}

impl Cell for Option<String> {
    fn dtype() -> DataType {
        DataType::String
    }

    fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
        StringChunked::from_iter_options(name.into(), values.map(Option::as_deref)).into_column()
    }

    fn values(column: &Column) -> Result<Vec<Self>, String> {
        Ok(typed(column.str())?.iter().map(|value| value.filter(|text| !text.is_empty()).map(str::to_owned)).collect())
    }
}

fn texts<'a>(name: &'static str, values: impl Iterator<Item = &'a str>) -> Column {
    StringChunked::from_iter_values(name.into(), values).into_column()
}

fn unknown<T: Copy>(text: &str, row: usize, known: &[T], name: fn(T) -> &'static str) -> String {
    let names: Vec<&str> = known.iter().copied().map(name).collect();
    format!("`{text}` in row {} is not one of {}", row + 1, names.join(", "))
}

/// The values of a name's column: each must be one of `known`.
fn named<T: Copy>(column: &Column, known: &[T], name: fn(T) -> &'static str) -> Result<Vec<T>, String> {
    let value = |(row, text): (usize, Option<&str>)| {
        let text = text.unwrap_or_default();
        known.iter().copied().find(|value| name(*value) == text).ok_or_else(|| unknown(text, row, known, name))
    };
    typed(column.str())?.iter().enumerate().map(value).collect()
}

/// A column of names of `$type`, one of `$all`.
macro_rules! name {
    ($type:ty, $all:expr) => {
        impl Cell for $type {
            fn dtype() -> DataType {
                DataType::String
            }

            fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
                texts(name, values.map(|value| value.name()))
            }

            fn values(column: &Column) -> Result<Vec<Self>, String> {
                named(column, &$all, |value: Self| value.name())
            }
        }
    };
}

name!(Status, Status::ALL);
name!(Selection, Selection::ALL);
name!(ImageScore, ImageScore::ALL);
name!(Metric, Metric::ALL);

/// The values of a name's column where some rows have none.
fn named_or_none<T: Copy>(
    column: &Column,
    none: &str,
    known: &[T],
    name: fn(T) -> &'static str,
) -> Result<Vec<Option<T>>, String> {
    let value = |(row, text): (usize, Option<&str>)| match text.unwrap_or_default() {
        text if text == none || text.is_empty() => Ok(None),
        text => known
            .iter()
            .copied()
            .find(|value| name(*value) == text)
            .map(Some)
            .ok_or_else(|| unknown(text, row, known, name)),
    };
    typed(column.str())?.iter().enumerate().map(value).collect()
}

/// Pixel metrics that depend on no image score have an empty text.
impl Cell for Option<ImageScore> {
    fn dtype() -> DataType {
        DataType::String
    }

    fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
        texts(name, values.map(|value| value.map_or("", ImageScore::name)))
    }

    fn values(column: &Column) -> Result<Vec<Self>, String> {
        named_or_none(column, "", &ImageScore::ALL, ImageScore::name)
    }
}

impl Cell for Option<Metric> {
    fn dtype() -> DataType {
        DataType::String
    }

    fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
        StringChunked::from_iter_options(name.into(), values.map(|value| value.map(Metric::name))).into_column()
    }

    fn values(column: &Column) -> Result<Vec<Self>, String> {
        named_or_none(column, "", &Metric::ALL, Metric::name)
    }
}

impl Field for Smoke {
    fn kinds(name: &'static str) -> Vec<(&'static str, DataType)> {
        vec![(name, DataType::Boolean)]
    }

    fn columns<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Vec<Column> {
        vec![Column::new(name.into(), values.map(|value| value.0).collect::<Vec<_>>())]
    }

    fn found(frame: &DataFrame, name: &str) -> Result<Vec<Self>, String> {
        match frame.column(name) {
            Ok(column) => Ok(bool::values(column)?.into_iter().map(Self).collect()),
            Err(_) => Ok(vec![Self(false); frame.height()]),
        }
    }
}

/// A column of what a publication may leave open.
macro_rules! stated {
    ($type:ty) => {
        impl Cell for Stated<$type> {
            fn dtype() -> DataType {
                DataType::String
            }

            fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
                texts(name, values.map(|value| value.name()))
            }

            fn values(column: &Column) -> Result<Vec<Self>, String> {
                let found = named_or_none(column, Self::NOT_STATED, &<$type>::ALL, <$type>::name)?;
                Ok(found.into_iter().map(Self).collect())
            }
        }
    };
}

stated!(Selection);
stated!(ImageScore);

macro_rules! list {
    ($item:ty) => {
        /// What a query gathers of a group.
        impl Cell for Vec<$item> {
            fn dtype() -> DataType {
                DataType::List(Box::new(<$item>::dtype()))
            }

            fn column<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Column {
                let lists: Vec<Series> =
                    values.map(|items| <$item>::column("", items.iter()).take_materialized_series()).collect();
                Column::new(name.into(), lists)
            }

            fn values(column: &Column) -> Result<Vec<Self>, String> {
                let lists = typed(column.list())?;
                let items = |list: Option<Series>| match list {
                    Some(list) => <$item>::values(&list.into_column()),
                    // A group that a join did not find.
                    None => Ok(Vec::new()),
                };
                (0..lists.len()).map(|row| items(lists.get_as_series(row))).collect()
            }
        }
    };
}

list!(f64);
list!(String);
