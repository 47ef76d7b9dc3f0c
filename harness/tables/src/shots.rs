//! The columns of support images: K where both classes have K, and always the number of each class.

use harness_method::Shots;
use polars::prelude::{Column, DataFrame, DataType};

use crate::cell::{Cell, Field};

/// Columns of the images of each class.
const CLASSES: [&str; 2] = ["normal_shots", "abnormal_shots"];

/// Readers that know K alone find K where there is one, and nothing where there is not.
impl Field for Shots {
    fn kinds(name: &'static str) -> Vec<(&'static str, DataType)> {
        let [normal, abnormal] = CLASSES;
        [name, normal, abnormal].map(|name| (name, DataType::UInt32)).to_vec()
    }

    fn columns<'a>(name: &'static str, values: impl Iterator<Item = &'a Self>) -> Vec<Column> {
        let values: Vec<Self> = values.copied().collect();
        let ks: Vec<Option<u32>> = values.iter().map(|shots| shots.k()).collect();
        let [normals, abnormals] = CLASSES;
        let normal: Vec<u32> = values.iter().map(|shots| shots.normal).collect();
        let abnormal: Vec<u32> = values.iter().map(|shots| shots.abnormal).collect();
        vec![
            <Option<u32>>::column(name, ks.iter()),
            u32::column(normals, normal.iter()),
            u32::column(abnormals, abnormal.iter()),
        ]
    }

    fn found(frame: &DataFrame, name: &str) -> Result<Vec<Self>, String> {
        let ks = frame.column(name).ok();
        let [Ok(normal), Ok(abnormal)] = CLASSES.map(|class| frame.column(class)) else {
            // Written before there were pairs.
            let ks = u32::values(ks.ok_or_else(|| "missing".to_owned())?)?;
            return Ok(ks.into_iter().map(Self::each).collect());
        };
        let pairs = u32::values(normal)?.into_iter().zip(u32::values(abnormal)?);
        let found: Vec<Self> = pairs.map(|(normal, abnormal)| Self { normal, abnormal }).collect();
        if let Some(ks) = ks {
            for (row, (shots, k)) in found.iter().zip(<Option<u32>>::values(ks)?).enumerate() {
                if shots.k() != k {
                    let k = k.map_or_else(|| "no value".to_owned(), |k| k.to_string());
                    return Err(format!(
                        "{k} in row {}, of {} normal and {} abnormal images",
                        row + 1,
                        shots.normal,
                        shots.abnormal
                    ));
                }
            }
        }
        Ok(found)
    }
}
