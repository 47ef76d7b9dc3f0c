//! A backend: what it says of itself, and the part of it that results depend on.

use serde::{Deserialize, Serialize};

harness_config::named_enum! {
    /// What the encoder computes in. The trainer's numbers are f32 always; under `tf32` its products are rounded as the encoder's.
    #[derive(Default)]
    pub enum Precision {
        /// Single precision.
        #[default]
        F32 = "f32",
        /// f32 whose matrix products may round their factors to 11 significant bits, in the trainer too.
        Tf32 = "tf32",
        /// Half precision, 11 significant bits.
        F16 = "f16",
        /// Half precision with the range of f32, 8 significant bits.
        Bf16 = "bf16",
    }
}

impl Precision {
    /// The type of the encoder's numbers: under `tf32` they are f32, and the rounding is a setting of the session.
    #[must_use]
    pub const fn of_numbers(self) -> Self {
        match self {
            Self::Tf32 => Self::F32,
            other => other,
        }
    }
}

harness_config::named_enum! {
    /// The type that numbers are stored in: taps, and weights that are written. That of taps decides results.
    #[derive(Default)]
    pub enum StorePrecision {
        /// As computed.
        #[default]
        F32 = "f32",
        /// Rounded to half precision: half the space.
        F16 = "f16",
    }
}

impl StorePrecision {
    /// Bytes of a value.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// A backend as far as results depend on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Backend {
    /// Name, as in experiment files.
    pub name: String,
    /// Version: another version may give other numbers.
    pub version: String,
    /// Kind of device (`cpu`, `cuda`), never a device's number.
    pub device: String,
}

/// What a backend says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendInfo {
    /// Name, as in experiment files.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Version of the interface it was built for.
    #[serde(default)]
    pub interface: String,
    /// Devices it can open now, its default first: `cpu`, `cuda:0`.
    pub devices: Vec<String>,
    /// Names of the precisions its encoder can compute in. A newer backend may have some that are not known here.
    pub precisions: Vec<String>,
    /// Names of the groups of functions it has.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// One line for people: why it has no device, or what would give one more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl BackendInfo {
    /// The known ones of its precisions.
    pub fn known_precisions(&self) -> Vec<Precision> {
        Precision::ALL.into_iter().filter(|precision| self.computes_in(*precision)).collect()
    }

    /// Whether its encoder can compute in this precision.
    pub fn computes_in(&self, precision: Precision) -> bool {
        self.precisions.iter().any(|name| name == precision.name())
    }

    /// The backend on its default device, or `None` where it has no device here.
    pub fn on_default_device(&self) -> Option<Backend> {
        let device = kind_of_device(self.devices.first()?).to_owned();
        Some(Backend { name: self.name.clone(), version: self.version.clone(), device })
    }
}

/// The kind of a device: `cuda` of `cuda:1`.
pub fn kind_of_device(device: &str) -> &str {
    device.split(':').next().unwrap_or(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backend_says_has_kinds_of_devices_and_known_precisions() {
        let info = BackendInfo {
            name: "cuda".to_owned(),
            version: "1.0".to_owned(),
            interface: "1".to_owned(),
            devices: vec!["cuda:1".to_owned(), "cuda:0".to_owned()],
            precisions: ["f32", "f8", "bf16"].map(str::to_owned).to_vec(),
            capabilities: Vec::new(),
            note: None,
        };
        assert_eq!(info.known_precisions(), [Precision::F32, Precision::Bf16]);
        assert_eq!(info.on_default_device().map(|backend| backend.device), Some("cuda".to_owned()));
        assert_eq!(BackendInfo { devices: Vec::new(), ..info }.on_default_device(), None);
    }
}
