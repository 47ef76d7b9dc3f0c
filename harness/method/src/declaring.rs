//! What [`declare!`](crate::declare) needs in scope.

pub use std::fmt;

pub use harness_config::{Describe, Real, Spanned, Table, named_enum, start};
pub use serde::de::{MapAccess, Visitor};
pub use serde::ser::SerializeMap;
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use crate::arch::Arch;
pub use crate::declare;
pub use crate::options::declare::{Complaint, Declared, Stage, count_flagged, only_flagged, unknown};
