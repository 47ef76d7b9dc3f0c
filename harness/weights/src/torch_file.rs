//! Files of `torch.save` and TorchScript: the pickle that describes the tensors, and the offsets of their storages, in
//! the zip layout and in the one before PyTorch 1.6.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::WeightsError;
use crate::bytes::Bytes;
use crate::kind::Kind;
use crate::mapped::Mapped;
use crate::pickle::{Pickle, Refusal, TensorRef, Value};
use crate::pickle_machine;
use crate::tensor::{Dtype, Storage, Tensor, View};
use crate::zip;

/// `torch.serialization.MAGIC_NUMBER`, 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// `torch.serialization.PROTOCOL_VERSION`.
const PROTOCOL: i64 = 1001;

/// Any file of `torch.save` or TorchScript, read as data and never executed: its tensors by name.
#[derive(Debug)]
pub struct PickleFile {
    tensors: Vec<(String, View)>,
    kind: Kind,
    classes: Vec<String>,
}

impl PickleFile {
    /// Opens a file. A tensor's name is its path through dictionaries, lists and modules, joined by dots; other
    /// values are left out.
    ///
    /// # Errors
    /// No such file, another format, a damaged one, or a pickle that names code (docs/method.md section 12).
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let file = Arc::new(Mapped::open(path)?);
        match Kind::of(file.bytes()) {
            Some(Kind::TorchZip | Kind::TorchScript) => Self::zipped(&file),
            Some(Kind::TorchLegacy) => Self::legacy(&file),
            _ => {
                Err(WeightsError::Unrecognised { path: path.to_owned(), found: "not written by torch.save".to_owned() })
            }
        }
    }

    /// Names and shapes, in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, view)| (name.as_str(), view.shape()))
    }

    /// Values of a tensor; integers and f64 are rounded to f32.
    ///
    /// # Errors
    /// No tensor of this name, or the file changed.
    pub fn tensor(&self, name: &str) -> Result<Tensor, WeightsError> {
        let Some((_, view)) = self.tensors.iter().find(|(n, _)| n == name) else {
            let origin = self.tensors.first().map_or_else(String::new, |(_, v)| v.file().path().display().to_string());
            return Err(WeightsError::Missing { origin, name: name.to_owned(), expected: None });
        };
        let mut data = Vec::new();
        view.append_to(&mut data)?;
        Ok(Tensor { name: name.to_owned(), shape: view.shape().to_vec(), data })
    }

    pub(crate) fn into_parts(self) -> (Kind, Vec<(String, View)>, Vec<String>) {
        (self.kind, self.tensors, self.classes)
    }

    pub(crate) fn zipped(file: &Arc<Mapped>) -> Result<Self, WeightsError> {
        let data = file.bytes();
        let entries = zip::entries(data).map_err(|what| file.damaged(what))?;
        let mut pickles = entries
            .keys()
            .filter_map(|name| name.strip_suffix("data.pkl"))
            .filter(|root| root.is_empty() || root.ends_with('/') && root.matches('/').count() == 1);
        let (Some(root), None) = (pickles.next(), pickles.next()) else {
            return Err(WeightsError::Unrecognised {
                path: file.path().to_owned(),
                found: "a zip archive without PyTorch's `data.pkl`".to_owned(),
            });
        };
        let stored = |name: &str| {
            let entry = entries.get(name).ok_or_else(|| file.damaged(format!("entry `{name}` is missing")))?;
            if entry.method != 0 {
                return Err(file.unsupported(format!("entry `{name}` is compressed; save the file with PyTorch again")));
            }
            let start = zip::locate(data, name, entry).map_err(|what| file.damaged(what))?;
            Ok(Storage { start, length: entry.length })
        };
        let order = format!("{root}byteorder");
        if entries.contains_key(&order) {
            let order = stored(&order)?;
            if &data[order.start..order.start + order.length] != b"little" {
                return Err(file.unsupported("written on a big-endian machine; save it on a little-endian one"));
            }
        }
        let pickle = stored(&format!("{root}data.pkl"))?;
        let pickle = &data[pickle.start..pickle.start + pickle.length];
        let pickle = pickle_machine::parse(pickle, 0).map_err(|r| refused(file, r))?;
        let kind =
            if entries.contains_key(&format!("{root}constants.pkl")) { Kind::TorchScript } else { Kind::TorchZip };
        let mut storages = HashMap::new();
        for (_, tensor) in pickle.tensors().map_err(|r| refused(file, r))? {
            let key = tensor.storage.key;
            if !storages.contains_key(key) {
                storages.insert(key.to_owned(), stored(&format!("{root}data/{key}"))?);
            }
        }
        Self::new(file, kind, &pickle, &storages)
    }

    pub(crate) fn legacy(file: &Arc<Mapped>) -> Result<Self, WeightsError> {
        let data = file.bytes();
        let parse = |start| pickle_machine::parse(data, start).map_err(|r| refused(file, r));
        // Five pickles: magic, protocol, the writer's machine, the object, the storages' order. Then the storages.
        let magic = parse(0)?;
        if !matches!(magic.root(), Value::Long(bytes) if **bytes == MAGIC) {
            return Err(WeightsError::Unrecognised {
                path: file.path().to_owned(),
                found: "a pickle that torch.save did not write".to_owned(),
            });
        }
        let protocol = parse(magic.end)?;
        if !matches!(protocol.root(), Value::Int(PROTOCOL)) {
            return Err(file.unsupported("written by an unknown version of torch.save; save it again"));
        }
        let machine = parse(protocol.end)?;
        if machine.flag("little_endian") != Some(true) {
            return Err(file.unsupported("written on a big-endian machine; save it on a little-endian one"));
        }
        let object = parse(machine.end)?;
        let order = parse(object.end)?;
        let described: HashMap<&str, Dtype> = object.storages().map(|s| (s.key, s.dtype)).collect();

        let mut at = Bytes::new(data, order.end);
        let mut storages = HashMap::new();
        for key in order.items(order.root()) {
            let Value::Text(key) = key else { return Err(file.damaged("its list of storages is not a list of names")) };
            let Some(dtype) = described.get(key) else {
                return Err(file.damaged(format!("storage `{key}` belongs to no tensor")));
            };
            let mut next = || {
                let elements = at.size()?;
                let start = at.position();
                let length = elements.checked_mul(dtype.size())?;
                at.take(length)?;
                Some(Storage { start, length })
            };
            let region = next().ok_or_else(|| file.damaged(format!("it ends within storage `{key}`")))?;
            storages.insert((*key).to_owned(), region);
        }
        if at.position() != data.len() {
            return Err(file.damaged("it has more bytes after its last storage"));
        }
        Self::new(file, Kind::TorchLegacy, &object, &storages)
    }

    fn new(
        file: &Arc<Mapped>,
        kind: Kind,
        pickle: &Pickle<'_>,
        storages: &HashMap<String, Storage>,
    ) -> Result<Self, WeightsError> {
        let mut tensors = Vec::new();
        let mut seen = HashSet::new();
        for (name, tensor) in pickle.tensors().map_err(|r| refused(file, r))? {
            if !seen.insert(name.clone()) {
                return Err(file.damaged(format!("tensor `{name}` occurs twice")));
            }
            let TensorRef { storage, first, shape, strides } = tensor;
            let region = storages
                .get(storage.key)
                .filter(|region| storage.elements.checked_mul(storage.dtype.size()) == Some(region.length))
                .ok_or_else(|| file.damaged(format!("the storage of `{name}` is missing or has another length")))?;
            let view = View::new(file, region, storage.dtype, *first, shape.clone(), strides.clone())
                .map_err(|what| file.damaged(format!("tensor `{name}`: {what}")))?;
            tensors.push((name, view));
        }
        Ok(Self { tensors, kind, classes: pickle.classes.clone() })
    }
}

fn refused(file: &Mapped, refusal: Refusal) -> WeightsError {
    match refusal {
        Refusal::Damaged(what) => file.damaged(what),
        Refusal::Forbidden(global) => WeightsError::Forbidden { path: file.path().to_owned(), global },
        Refusal::Module(class) => WeightsError::WholeModule { path: file.path().to_owned(), class },
        Refusal::Unread(what) => {
            file.unsupported(format!("it holds {what}, which is not read; convert it to f16, bf16 or f32"))
        }
    }
}
