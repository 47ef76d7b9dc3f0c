//! A machine for Python's pickle opcodes that builds plain values. Nothing is imported, called or executed: a global
//! outside the list of [`crate::pickle::allowed`] ends it.

use std::collections::HashMap;

use crate::bytes::Bytes;
use crate::opcode as op;
use crate::pickle::{Global, Id, Pickle, Refusal, StorageRef, TensorRef, Value, allowed, is_module};
use crate::tensor::Dtype;

/// Values of a pickle; ViT-L has some 20,000.
const MAX_VALUES: usize = 1 << 22;

/// Parses the pickle that begins at `start`.
pub(crate) fn parse<'a>(data: &'a [u8], start: usize) -> Result<Pickle<'a>, Refusal> {
    let mut machine = Machine {
        at: Bytes::new(data, start),
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        classes: Vec::new(),
    };
    let root = machine.run()?;
    Ok(Pickle { values: machine.values, root, end: machine.at.position(), classes: machine.classes })
}

struct Machine<'a> {
    at: Bytes<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    classes: Vec<String>,
}

fn damaged<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Damaged(what.into()))
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, Refusal> {
        loop {
            let start = self.at.position();
            let step = match self.at.u8() {
                Some(op::STOP) => return self.pop(),
                Some(opcode) => self.step(opcode)?,
                None => None,
            };
            if step.is_none() {
                return damaged(format!("its pickle breaks off at byte {start}"));
            }
        }
    }

    /// One opcode. `Ok(None)` where the data ends within it.
    fn step(&mut self, opcode: u8) -> Result<Option<()>, Refusal> {
        match opcode {
            op::PROTO => return Ok(self.at.u8().map(drop)),
            op::FRAME => return Ok(self.at.u64().map(drop)),
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => drop(self.pop()?),
            op::POP_MARK => drop(self.pop_mark()?),
            op::DUP => {
                let top = self.pop()?;
                self.stack.extend([top, top]);
            }
            op::NONE => self.push(Value::Opaque)?,
            op::NEWTRUE => self.push(Value::Bool(true))?,
            op::NEWFALSE => self.push(Value::Bool(false))?,
            op::EMPTY_TUPLE => self.push(Value::Tuple(Vec::new()))?,
            op::EMPTY_LIST | op::EMPTY_SET => self.push(Value::List(Vec::new()))?,
            op::EMPTY_DICT => self.push(Value::Dict(Vec::new()))?,
            op::TUPLE => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items))?;
            }
            op::LIST | op::FROZENSET => {
                let items = self.pop_mark()?;
                self.push(Value::List(items))?;
            }
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => self.short_tuple(usize::from(opcode - op::TUPLE1) + 1)?,
            op::DICT => {
                let items = self.pop_mark()?;
                self.push(Value::Dict(pairs(&items)?))?;
            }
            op::APPEND => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.pop_mark()?;
                self.extend_list(items)?;
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(vec![(key, value)])?;
            }
            op::SETITEMS => {
                let items = self.pop_mark()?;
                self.extend_dict(pairs(&items)?)?;
            }
            op::BUILD => self.build()?,
            // An object's arguments are given as a function's are.
            op::REDUCE | op::NEWOBJ => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let made = self.call(callee, arguments)?;
                self.stack.push(made);
            }
            op::NEWOBJ_EX => {
                let (_, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                let made = self.call(callee, arguments)?;
                self.stack.push(made);
            }
            op::BINPERSID => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Value::Storage(storage))?;
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (self.get(module), self.get(name)) else {
                    return damaged("its pickle names a global that is not a text");
                };
                let (module, name) = (*module, *name);
                self.global(module, name)?;
            }
            op::BINPUT => {
                let index = self.at.u8().map(u32::from);
                return self.remember(index);
            }
            op::LONG_BINPUT => {
                let index = self.at.u32();
                return self.remember(index);
            }
            op::MEMOIZE => return self.remember(u32::try_from(self.memo.len()).ok()),
            op::BINGET => {
                let index = self.at.u8().map(u32::from);
                return self.recall(index);
            }
            op::LONG_BINGET => {
                let index = self.at.u32();
                return self.recall(index);
            }
            literal => return self.literal(literal),
        }
        Ok(Some(()))
    }

    fn short_tuple(&mut self, length: usize) -> Result<(), Refusal> {
        let from = self.stack.len().checked_sub(length).filter(|from| *from >= self.floor());
        let Some(from) = from else { return damaged("its pickle takes more values than there are") };
        let items = self.stack.split_off(from);
        self.push(Value::Tuple(items))
    }

    /// Keeps the value on top under an index of the memo.
    fn remember(&mut self, index: Option<u32>) -> Result<Option<()>, Refusal> {
        let top = self.pop()?;
        self.stack.push(top);
        let Some(index) = index else { return Ok(None) };
        self.memo.insert(index, top);
        Ok(Some(()))
    }

    fn recall(&mut self, index: Option<u32>) -> Result<Option<()>, Refusal> {
        let Some(index) = index else { return Ok(None) };
        let Some(id) = self.memo.get(&index) else {
            return damaged(format!("its pickle asks for value {index}, which it never stored"));
        };
        self.stack.push(*id);
        Ok(Some(()))
    }

    /// Opcodes that carry their value with them.
    fn literal(&mut self, opcode: u8) -> Result<Option<()>, Refusal> {
        let at = &mut self.at;
        let value = match opcode {
            op::BININT1 => at.u8().map(|n| Value::Int(n.into())),
            op::BININT2 => at.u16().map(|n| Value::Int(n.into())),
            op::BININT => at.array().map(|b| Value::Int(i32::from_le_bytes(b).into())),
            op::BINFLOAT => at.take(8).map(|_| Value::Opaque),
            op::LONG1 => at.u8().and_then(|n| at.take(n.into())).map(long),
            op::LONG4 => at.u32().and_then(|n| at.take(n as usize)).map(long),
            op::SHORT_BINUNICODE => text(at.u8().and_then(|n| at.take(n.into())))?,
            op::BINUNICODE => text(at.u32().and_then(|n| at.take(n as usize)))?,
            op::BINUNICODE8 => text(at.size().and_then(|n| at.take(n)))?,
            op::SHORT_BINSTRING | op::SHORT_BINBYTES => at.u8().and_then(|n| at.take(n.into())).map(|_| Value::Opaque),
            op::BINSTRING | op::BINBYTES => at.u32().and_then(|n| at.take(n as usize)).map(|_| Value::Opaque),
            op::BINBYTES8 | op::BYTEARRAY8 => at.size().and_then(|n| at.take(n)).map(|_| Value::Opaque),
            op::GLOBAL | op::INST => {
                let (Some(module), Some(name)) = (at.line(), at.line()) else { return Ok(None) };
                let (module, name) = (String::from_utf8_lossy(module), String::from_utf8_lossy(name));
                // INST calls what it names at once; PyTorch never writes it.
                if opcode == op::INST {
                    return Err(Refusal::Forbidden(format!("{module}.{name}")));
                }
                self.global(&module, &name)?;
                return Ok(Some(()));
            }
            other => return damaged(format!("its pickle has the unknown opcode {other:#04x}")),
        };
        let Some(value) = value else { return Ok(None) };
        self.push(value)?;
        Ok(Some(()))
    }

    fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0]
    }

    fn make(&mut self, value: Value<'a>) -> Result<Id, Refusal> {
        if self.values.len() >= MAX_VALUES {
            return damaged(format!("its pickle has more than {MAX_VALUES} values"));
        }
        self.values.push(value);
        Ok(Id(self.values.len() - 1))
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Refusal> {
        let id = self.make(value)?;
        self.stack.push(id);
        Ok(())
    }

    /// Values below belong to an open mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, Refusal> {
        if self.stack.len() <= self.floor() {
            return damaged("its pickle takes more values than there are");
        }
        self.stack.pop().map_or_else(|| damaged("its pickle takes more values than there are"), Ok)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Refusal> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => damaged("its pickle closes a mark that it never opened"),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Refusal> {
        let Some(global) = allowed(module, name) else {
            let global = format!("{module}.{name}");
            let module = is_module(module, name) || self.describes_modules() && name.starts_with(char::is_uppercase);
            return Err(if module { Refusal::Module(global) } else { Refusal::Forbidden(global) });
        };
        if global == Global::Module {
            self.classes.push(format!("{module}.{name}"));
        }
        self.push(Value::Global(global))
    }

    /// Whether what follows has the attributes of a `torch.nn.Module`.
    fn describes_modules(&self) -> bool {
        let rest = self.at.rest();
        let has = |text: &[u8]| rest.windows(text.len()).any(|window| window == text);
        has(b"_parameters") && has(b"_buffers") && has(b"_modules")
    }

    fn top(&mut self) -> Result<&mut Value<'a>, Refusal> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(&mut self.values[top.0])
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Result<(), Refusal> {
        match self.top()? {
            Value::List(list) => list.extend(items),
            Value::Opaque => {}
            _ => return damaged("its pickle appends to something other than a list"),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<(Id, Id)>) -> Result<(), Refusal> {
        match self.top()? {
            Value::Dict(dict) => dict.extend(items),
            Value::Opaque => {}
            _ => return damaged("its pickle sets items of something other than a dictionary"),
        }
        Ok(())
    }

    /// State of an object; that of an ordered dictionary (`_metadata`) or of a tensor decides nothing.
    fn build(&mut self) -> Result<(), Refusal> {
        let state = self.pop()?;
        match self.top()? {
            Value::Object(slot) => *slot = Some(state),
            Value::Dict(_) | Value::Tensor(_) | Value::Opaque => {}
            _ => return damaged("its pickle sets the state of something without state"),
        }
        Ok(())
    }

    fn call(&mut self, callee: Id, arguments: Id) -> Result<Id, Refusal> {
        let (Value::Global(global), Value::Tuple(arguments)) = (self.get(callee), self.get(arguments)) else {
            return damaged("its pickle calls something that can't be called");
        };
        let (mut global, mut arguments) = (*global, arguments.clone());
        // A tensor with attributes is made by one of the other functions, which is called in its place.
        if let (Global::RebuildSubclass, [function, _, given, ..]) = (global, arguments.as_slice()) {
            match (self.get(*function), self.get(*given)) {
                (Value::Global(Global::RebuildSubclass), _) => return damaged("its pickle nests a tensor's functions"),
                (Value::Global(function), Value::Tuple(given)) => (global, arguments) = (*function, given.clone()),
                _ => return damaged("its pickle describes an impossible tensor"),
            }
        }
        match (global, arguments.as_slice()) {
            (Global::RebuildTensor, [storage, first, shape, strides, ..]) => {
                let tensor = self.tensor(*storage, *first, *shape, *strides, None)?;
                self.make(Value::Tensor(Box::new(tensor)))
            }
            (Global::RebuildTyped, [storage, first, shape, strides, _, _, dtype, ..]) => {
                let dtype = match self.get(*dtype) {
                    Value::Global(Global::Dtype(dtype)) => *dtype,
                    Value::Global(Global::Unread(what)) => return Err(Refusal::Unread((*what).to_owned())),
                    _ => return damaged("its pickle describes an impossible tensor"),
                };
                let tensor = self.tensor(*storage, *first, *shape, *strides, Some(dtype))?;
                self.make(Value::Tensor(Box::new(tensor)))
            }
            (Global::Unread(what), _) => Err(Refusal::Unread(what.to_owned())),
            (Global::RebuildParameter, [tensor, ..]) | (Global::Transparent, [tensor, ..]) => Ok(*tensor),
            (Global::OrderedDict, []) | (Global::DefaultDict, [] | [_]) => self.make(Value::Dict(Vec::new())),
            (Global::OrderedDict, [items]) | (Global::DefaultDict, [_, items]) => self.dictionary(*items),
            (Global::Module, _) => self.make(Value::Object(None)),
            (Global::Inert, _) => self.make(Value::Opaque),
            _ => damaged("its pickle calls a known function with unknown arguments"),
        }
    }

    /// A dictionary of another's items, or of a list's pairs.
    fn dictionary(&mut self, items: Id) -> Result<Id, Refusal> {
        let items = match self.get(items) {
            Value::Dict(items) => Some(items.clone()),
            Value::List(items) => {
                let pair = |id: &Id| match self.get(*id) {
                    Value::Tuple(pair) | Value::List(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
                    _ => None,
                };
                items.iter().map(pair).collect()
            }
            _ => None,
        };
        match items {
            Some(items) => self.make(Value::Dict(items)),
            None => damaged("its pickle fills a dictionary oddly"),
        }
    }

    /// A tensor over a storage, of element type `dtype` where the storage is of bytes.
    fn tensor(
        &self,
        storage: Id,
        first: Id,
        shape: Id,
        strides: Id,
        dtype: Option<Dtype>,
    ) -> Result<TensorRef<'a>, Refusal> {
        let size = |id: &Id| match self.get(*id) {
            Value::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        };
        let sizes = |id: Id| match self.get(id) {
            Value::Tuple(items) | Value::List(items) => items.iter().map(size).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let described = || {
            let Value::Storage(storage) = self.get(storage) else { return None };
            let storage = match dtype {
                // The storage's length is in bytes.
                Some(dtype) if storage.elements.is_multiple_of(dtype.size()) => {
                    StorageRef { dtype, elements: storage.elements / dtype.size(), ..*storage }
                }
                Some(_) => return None,
                None => *storage,
            };
            Some(TensorRef { storage, first: size(&first)?, shape: sizes(shape)?, strides: sizes(strides)? })
        };
        described().map_or_else(|| damaged("its pickle describes an impossible tensor"), Ok)
    }

    fn storage(&self, id: Id) -> Result<StorageRef<'a>, Refusal> {
        let items: Vec<&Value<'a>> = match self.get(id) {
            Value::Tuple(items) => items.iter().map(|id| self.get(*id)).collect(),
            _ => Vec::new(),
        };
        match items.as_slice() {
            // The sixth item, in old files, is a view of another storage; PyTorch has long written none.
            [Value::Text("storage"), Value::Global(kind), Value::Text(key), _, Value::Int(n)]
            | [Value::Text("storage"), Value::Global(kind), Value::Text(key), _, Value::Int(n), Value::Opaque] => {
                let dtype = match kind {
                    Global::Storage(dtype) => *dtype,
                    Global::Bytes => Dtype::U8,
                    Global::Unread(what) => return Err(Refusal::Unread((*what).to_owned())),
                    _ => return damaged("its pickle refers to storage in an unknown way"),
                };
                match usize::try_from(*n) {
                    Ok(elements) => Ok(StorageRef { dtype, key, elements }),
                    Err(_) => damaged(format!("its storage `{key}` has a negative length")),
                }
            }
            _ => damaged("its pickle refers to storage in an unknown way"),
        }
    }
}

fn long(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    let fill = if bytes.last().is_some_and(|b| *b >= 0x80) { 0xFF } else { 0 };
    let mut wide = [fill; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

/// A text's bytes as a value; `None` where they break off.
fn text(bytes: Option<&[u8]>) -> Result<Option<Value<'_>>, Refusal> {
    match bytes.map(std::str::from_utf8) {
        Some(Ok(text)) => Ok(Some(Value::Text(text))),
        Some(Err(_)) => damaged("a text of its pickle is not UTF-8"),
        None => Ok(None),
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, Refusal> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return damaged("its pickle has a key without a value");
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
