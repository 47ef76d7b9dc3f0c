//! How a Rust value becomes a cell of a Polars column and comes back. Which columns there are is in `rows`.

use polars::prelude::{Column, DataType, PolarsResult};

use crate::rows::Status;

/// A type that can stand in a column.
pub(crate) trait Cell: Sized {
    /// Polars' type of the column.
    const TYPE: DataType;

    /// A column of values.
    fn column(name: &'static str, values: Vec<Self>) -> Column;

    /// The values of a column, or what is wrong with them.
    fn values(column: &Column) -> Result<Vec<Self>, String>;
}

/// An absent value where the type has none.
fn absent(row: usize) -> String {
    format!("no value in row {}", row + 1)
}

fn typed<T>(result: PolarsResult<T>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

macro_rules! number {
    ($type:ty, $accessor:ident, $polars:expr) => {
        impl Cell for $type {
            const TYPE: DataType = $polars;

            fn column(name: &'static str, values: Vec<Self>) -> Column {
                Column::new(name.into(), values)
            }

            fn values(column: &Column) -> Result<Vec<Self>, String> {
                let column = typed(column.$accessor())?;
                column.iter().enumerate().map(|(row, value)| value.ok_or_else(|| absent(row))).collect()
            }
        }

        impl Cell for Option<$type> {
            const TYPE: DataType = $polars;

            fn column(name: &'static str, values: Vec<Self>) -> Column {
                Column::new(name.into(), values)
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
    const TYPE: DataType = DataType::String;

    fn column(name: &'static str, values: Vec<Self>) -> Column {
        Column::new(name.into(), values)
    }

    fn values(column: &Column) -> Result<Vec<Self>, String> {
        // CSV readers differ on whether nothing between two commas is empty or absent: here it is empty.
        Ok(typed(column.str())?.iter().map(|value| value.unwrap_or_default().to_owned()).collect())
    }
}

impl Cell for Option<String> {
    const TYPE: DataType = DataType::String;

    fn column(name: &'static str, values: Vec<Self>) -> Column {
        Column::new(name.into(), values)
    }

    fn values(column: &Column) -> Result<Vec<Self>, String> {
        Ok(typed(column.str())?.iter().map(|value| value.filter(|text| !text.is_empty()).map(str::to_owned)).collect())
    }
}

impl Cell for Status {
    const TYPE: DataType = DataType::String;

    fn column(name: &'static str, values: Vec<Self>) -> Column {
        Column::new(name.into(), values.into_iter().map(Status::name).collect::<Vec<_>>())
    }

    fn values(column: &Column) -> Result<Vec<Self>, String> {
        let known = |(row, value): (usize, Option<&str>)| {
            let value = value.unwrap_or_default();
            Status::named(value).ok_or_else(|| format!("`{value}` in row {} is none of done, failed, not run", row + 1))
        };
        typed(column.str())?.iter().enumerate().map(known).collect()
    }
}
