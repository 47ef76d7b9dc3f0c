//! The columns of a support draw: its number, or the name of the list that it is.

use harness_method::Draw;
use polars::prelude::{Column, DataFrame, DataType};

use crate::cell::{Cell, Field};

/// The column of names.
const NAME: &str = "draw_name";

/// Readers that know numbers alone find the number where there is one, and nothing where there is a name.
impl Field for Draw {
    fn kinds(name: &'static str) -> Vec<(&'static str, DataType)> {
        vec![(name, DataType::UInt64), (NAME, DataType::String)]
    }

    fn columns<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Vec<Column> {
        let values: Vec<Self> = values.copied().collect();
        let numbers: Vec<Option<u64>> = values.iter().map(|draw| draw.number()).collect();
        let names: Vec<String> =
            values.iter().map(|draw| draw.name().map(ToString::to_string).unwrap_or_default()).collect();
        vec![<Option<u64>>::column(name, numbers.iter()), String::column(NAME, names.iter())]
    }

    fn found(frame: &DataFrame, name: &str) -> Result<Vec<Self>, String> {
        let numbers = <Option<u64>>::values(frame.column(name).map_err(|_| "missing".to_owned())?)?;
        // Written before there were names.
        let names = frame.column(NAME).ok().map(<Option<String>>::values).transpose()?;
        let names = names.unwrap_or_else(|| vec![None; numbers.len()]);
        let draw = |(row, (number, name)): (usize, (Option<u64>, Option<String>))| match (number, name) {
            (Some(number), None) => Ok(Self::Number(number)),
            (None, Some(name)) => name.parse().map(Self::Named).map_err(|error| format!("row {}: {error}", row + 1)),
            (Some(_), Some(name)) => Err(format!("a number and the name `{name}` in row {}", row + 1)),
            (None, None) => Err(format!("no value in row {}", row + 1)),
        };
        numbers.into_iter().zip(names).enumerate().map(draw).collect()
    }
}
