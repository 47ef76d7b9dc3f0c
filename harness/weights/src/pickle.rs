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
    /// A class of modules, which `torch.save(model)` writes instead of a state dict.
    Module(String),
    /// A tensor of a kind that isn't read.
    Unread(String),
}

/// Index of a value. Values live in one flat list, so that neither cycles nor depth can hurt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) usize);

#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// None, floats, bytes, dates, NumPy's numbers: nothing that a tensor needs.
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
    /// A storage of bytes and an element type.
    RebuildTyped,
    /// A parameter: the first argument is the tensor.
    RebuildParameter,
    /// A tensor with attributes: another of these functions, a class, that function's arguments.
    RebuildSubclass,
    /// `OrderedDict`, `Counter`: pairs or another dictionary.
    OrderedDict,
    /// `defaultdict`: what makes an absent value comes first and decides nothing.
    DefaultDict,
    Storage(Dtype),
    /// Storage whose element type stands beside it.
    Bytes,
    /// An element type.
    Dtype(Dtype),
    /// Tensors, storages and element types that are not read; how people call them.
    Unread(&'static str),
    /// A plain value that no tensor needs. Whatever is made of it is one too.
    Inert,
    /// `torch.Size`, TorchScript's typed lists: the first argument is the value.
    Transparent,
    /// A class of the archive itself, plain attributes.
    Module,
}

/// The list: what PyTorch's own `weights_only` reader takes, and plain values of Python and NumPy that training scripts
/// keep beside weights. Any other global is refused before anything is made of it; of these, too, nothing is run.
pub(crate) fn allowed(module: &str, name: &str) -> Option<Global> {
    Some(match (module, name) {
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v3") => Global::RebuildTyped,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
        ("torch.nn.parameter" | "torch.nn", "Parameter") => Global::RebuildParameter,
        ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildSubclass,
        ("torch._utils", "_rebuild_qtensor") => Global::Unread("a quantized tensor"),
        ("torch._utils", "_rebuild_sparse_tensor") => Global::Unread("a sparse tensor"),
        ("torch._utils", "_rebuild_meta_tensor_no_storage") => Global::Unread("a tensor without values"),
        ("collections", "OrderedDict" | "Counter") => Global::OrderedDict,
        ("collections", "defaultdict") => Global::DefaultDict,
        ("torch", "Size") => Global::Transparent,
        ("torch.jit._pickle", "build_intlist" | "build_doublelist" | "build_boollist" | "build_tensorlist") => {
            Global::Transparent
        }
        ("torch.jit._pickle", "restore_type_tag") => Global::Transparent,
        ("torch", name) => return of_torch(name),
        ("torch.storage", "UntypedStorage") => Global::Bytes,
        (module, _) if module == "__torch__" || module.starts_with("__torch__.") => Global::Module,
        (module, name) => return is_inert(module, name).then_some(Global::Inert),
    })
}

/// Storages and element types of `torch`.
fn of_torch(name: &str) -> Option<Global> {
    Some(match name {
        "HalfStorage" => Global::Storage(Dtype::F16),
        "BFloat16Storage" => Global::Storage(Dtype::Bf16),
        "FloatStorage" => Global::Storage(Dtype::F32),
        "DoubleStorage" => Global::Storage(Dtype::F64),
        "CharStorage" => Global::Storage(Dtype::I8),
        "ShortStorage" => Global::Storage(Dtype::I16),
        "IntStorage" => Global::Storage(Dtype::I32),
        "LongStorage" => Global::Storage(Dtype::I64),
        "ByteStorage" => Global::Storage(Dtype::U8),
        "BoolStorage" => Global::Storage(Dtype::Bool),
        "UntypedStorage" => Global::Bytes,
        "ComplexFloatStorage" | "ComplexDoubleStorage" => Global::Unread("a tensor of complex numbers"),
        "QInt8Storage" | "QUInt8Storage" | "QInt32Storage" | "QUInt4x2Storage" | "QUInt2x4Storage" => {
            Global::Unread("a quantized tensor")
        }
        "float16" | "half" => Global::Dtype(Dtype::F16),
        "bfloat16" => Global::Dtype(Dtype::Bf16),
        "float32" | "float" => Global::Dtype(Dtype::F32),
        "float64" | "double" => Global::Dtype(Dtype::F64),
        "int8" => Global::Dtype(Dtype::I8),
        "int16" | "short" => Global::Dtype(Dtype::I16),
        "int32" | "int" => Global::Dtype(Dtype::I32),
        "int64" | "long" => Global::Dtype(Dtype::I64),
        "uint8" => Global::Dtype(Dtype::U8),
        "bool" => Global::Dtype(Dtype::Bool),
        "float8_e4m3fn" | "float8_e5m2" | "float8_e4m3fnuz" | "float8_e5m2fnuz" | "float8_e8m0fnu"
        | "float4_e2m1fn_x2" => Global::Unread("a tensor of 8-bit floating-point numbers"),
        "uint16" | "uint32" | "uint64" => Global::Unread("a tensor of wide unsigned numbers"),
        "complex32" | "complex64" | "complex128" => Global::Unread("a tensor of complex numbers"),
        "device" | "Tensor" | "strided" | "preserve_format" | "contiguous_format" | "channels_last" => Global::Inert,
        _ => return None,
    })
}

/// Classes and functions that make plain values.
fn is_inert(module: &str, name: &str) -> bool {
    match module {
        "builtins" | "__builtin__" => matches!(
            name,
            "set"
                | "frozenset"
                | "complex"
                | "bytearray"
                | "bytes"
                | "int"
                | "float"
                | "str"
                | "bool"
                | "list"
                | "tuple"
                | "dict"
                | "slice"
                | "range"
                | "object"
        ),
        "_codecs" => name == "encode",
        "copyreg" | "copy_reg" => matches!(name, "_reconstructor" | "__newobj__"),
        "collections" => name == "deque",
        "argparse" => name == "Namespace",
        "types" => name == "SimpleNamespace",
        "datetime" => matches!(name, "datetime" | "date" | "time" | "timedelta" | "timezone"),
        "pathlib" | "pathlib._local" => name.ends_with("Path"),
        "decimal" => name == "Decimal",
        "fractions" => name == "Fraction",
        "uuid" => matches!(name, "UUID" | "SafeUUID"),
        "numpy" => matches!(
            name,
            "ndarray"
                | "dtype"
                | "bool_"
                | "bool"
                | "float16"
                | "float32"
                | "float64"
                | "int8"
                | "int16"
                | "int32"
                | "int64"
                | "uint8"
                | "uint16"
                | "uint32"
                | "uint64"
                | "str_"
                | "bytes_"
        ),
        "numpy.dtypes" => true,
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "scalar" | "_reconstruct"),
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "torch.serialization" => name == "_get_layout",
        "torch.torch_version" => name == "TorchVersion",
        "omegaconf.dictconfig" => name == "DictConfig",
        "omegaconf.listconfig" => name == "ListConfig",
        "omegaconf.base" => matches!(name, "ContainerMetadata" | "Metadata" | "SCMode"),
        "omegaconf.nodes" => name.ends_with("Node"),
        "typing" => name == "Any",
        "easydict" => name == "EasyDict",
        "yacs.config" => name == "CfgNode",
        "lightning_fabric.utilities.data"
        | "lightning.fabric.utilities.data"
        | "pytorch_lightning.utilities.parsing" => name == "AttributeDict",
        _ => false,
    }
}

/// Whether a global seems to be a class of modules: `torch.save(model)` writes it where `model.state_dict()` is meant.
pub(crate) fn is_module(module: &str, name: &str) -> bool {
    const PACKAGES: [&str; 8] = [
        "torch.nn.modules",
        "torchvision.models",
        "timm",
        "open_clip",
        "clip",
        "transformers",
        "segment_anything",
        "dinov2",
    ];
    let within =
        |package: &str| module.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    PACKAGES.into_iter().any(within) && name.starts_with(|c: char| c.is_ascii_uppercase())
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
