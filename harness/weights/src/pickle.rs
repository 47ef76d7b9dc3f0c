//! What a pickle of `torch.save` or TorchScript says, as plain data: values, the short list of globals they may name,
//! and the tensors among them.

use crate::tensor::Dtype;

/// Nesting of containers around a tensor.
const MAX_DEPTH: usize = 64;
/// Bytes of all tensor names together.
const MAX_NAMES: usize = 1 << 26;

/// Why a pickle isn't read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Breaks off or contradicts itself.
    Damaged(String),
    /// Names code that isn't on the list.
    Forbidden(String),
}

/// Index of a value. Values live in one flat list, so that neither cycles nor depth can hurt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) usize);

#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// None, floats, bytes: nothing that a tensor needs.
    Opaque,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, little-endian.
    Long(&'a [u8]),
    Text(&'a str),
    Global(Global),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A TorchScript module: its attributes, once they are set.
    Object(Option<Id>),
    Storage(StorageRef<'a>),
    Tensor(Box<TensorRef<'a>>),
}

/// A storage as a pickle names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StorageRef<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) key: &'a str,
    pub(crate) elements: usize,
}

/// A tensor as a pickle describes it; unchecked against its storage.
#[derive(Clone, Debug)]
pub(crate) struct TensorRef<'a> {
    pub(crate) storage: StorageRef<'a>,
    pub(crate) first: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// The globals that may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    RebuildTensor,
    RebuildParameter,
    OrderedDict,
    Storage(Dtype),
    /// `torch.Size`, TorchScript's typed lists: the first argument is the value.
    Transparent,
    /// A class of the archive itself, plain attributes.
    Module,
}

/// The list. Any other global is refused before anything is made of it.
pub(crate) fn allowed(module: &str, name: &str) -> Option<Global> {
    Some(match (module, name) {
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch", "Size") => Global::Transparent,
        ("torch.jit._pickle", "build_intlist" | "build_doublelist" | "build_boollist" | "build_tensorlist") => {
            Global::Transparent
        }
        ("torch.jit._pickle", "restore_type_tag") => Global::Transparent,
        ("torch", "HalfStorage") => Global::Storage(Dtype::F16),
        ("torch", "BFloat16Storage") => Global::Storage(Dtype::Bf16),
        ("torch", "FloatStorage") => Global::Storage(Dtype::F32),
        ("torch", "DoubleStorage") => Global::Storage(Dtype::F64),
        ("torch", "CharStorage") => Global::Storage(Dtype::I8),
        ("torch", "ShortStorage") => Global::Storage(Dtype::I16),
        ("torch", "IntStorage") => Global::Storage(Dtype::I32),
        ("torch", "LongStorage") => Global::Storage(Dtype::I64),
        ("torch", "ByteStorage") => Global::Storage(Dtype::U8),
        ("torch", "BoolStorage") => Global::Storage(Dtype::Bool),
        (module, _) if module == "__torch__" || module.starts_with("__torch__.") => Global::Module,
        _ => return None,
    })
}

/// A parsed pickle.
pub(crate) struct Pickle<'a> {
    pub(crate) values: Vec<Value<'a>>,
    pub(crate) root: Id,
    /// First byte after it.
    pub(crate) end: usize,
    /// Names of TorchScript classes it mentions.
    pub(crate) classes: Vec<String>,
}

impl<'a> Pickle<'a> {
    pub(crate) fn root(&self) -> &Value<'a> {
        &self.values[self.root.0]
    }

    /// Items of a list or tuple, or nothing.
    pub(crate) fn items(&self, value: &Value<'a>) -> impl Iterator<Item = &Value<'a>> {
        let ids = match value {
            Value::List(ids) | Value::Tuple(ids) => ids.clone(),
            _ => Vec::new(),
        };
        ids.into_iter().map(|id| &self.values[id.0])
    }

    /// Every storage it refers to.
    pub(crate) fn storages(&self) -> impl Iterator<Item = &StorageRef<'a>> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// A Boolean item of a root dictionary.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        let Value::Dict(items) = self.root() else { return None };
        items.iter().find_map(|(key, value)| match (&self.values[key.0], &self.values[value.0]) {
            (Value::Text(key), Value::Bool(value)) if *key == name => Some(*value),
            _ => None,
        })
    }

    /// Every tensor with its path through dictionaries, lists and modules, joined by dots, in the file's order.
    pub(crate) fn tensors(&self) -> Result<Vec<(String, &TensorRef<'a>)>, Refusal> {
        let mut found = Vec::new();
        let mut budget = MAX_NAMES;
        let mut open = vec![(self.root, String::new(), 0)];
        while let Some((id, path, depth)) = open.pop() {
            budget = budget
                .checked_sub(path.len() + 1)
                .filter(|_| depth <= MAX_DEPTH)
                .ok_or_else(|| Refusal::Damaged("its values are nested without end".to_owned()))?;
            let first = open.len();
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            match &self.values[id.0] {
                Value::Tensor(tensor) => found.push((path, &**tensor)),
                Value::Object(Some(state)) => open.push((*state, path, depth + 1)),
                Value::Dict(items) => {
                    for (key, value) in items {
                        let key = match &self.values[key.0] {
                            Value::Text(text) => below(text),
                            Value::Int(number) => below(&number.to_string()),
                            _ => continue,
                        };
                        budget = budget.saturating_sub(key.len());
                        open.push((*value, key, depth + 1));
                    }
                }
                Value::List(items) | Value::Tuple(items) => {
                    for (index, value) in items.iter().enumerate() {
                        let key = below(&index.to_string());
                        budget = budget.saturating_sub(key.len());
                        open.push((*value, key, depth + 1));
                    }
                }
                _ => {}
            }
            open[first..].reverse();
        }
        Ok(found)
    }
}
