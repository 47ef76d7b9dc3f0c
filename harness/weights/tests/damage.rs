//! What is damaged, incomplete or hostile is refused with its reason; nothing panics and nothing runs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use harness_method::{Arch, StorePrecision};
use harness_tests::shared;
use harness_weights::{Difference, PickleFile, Tensor, Weights, WeightsError, inspect, write_safetensors};
use proptest::prelude::*;

fn small() -> Weights {
    let arch = Arch {
        image_size: 16,
        patch: 8,
        width: 64,
        layers: 1,
        heads: 1,
        embed: 4,
        vocab: 9,
        context: 5,
        text_width: 64,
        text_layers: 1,
        text_heads: 1,
    };
    Weights::synthetic(&arch, 3).unwrap()
}

fn tensors(path: &Path) -> Result<Vec<Tensor>, WeightsError> {
    let weights = Weights::open(path)?;
    weights.names().map(|name| weights.tensor(name)).collect()
}

/// About 200 lengths below the whole: all of the first and last 40, and others evenly between.
fn lengths(whole: usize) -> Vec<usize> {
    let mut all: Vec<usize> =
        (0..40).chain((0..120).map(|i| whole * i / 120)).chain(whole.saturating_sub(40)..whole).collect();
    all.retain(|length| *length < whole);
    all.sort_unstable();
    all.dedup();
    all
}

/// Writes `bytes` at every length to `target`; `open` is the path to open.
fn every_cut_is_an_error(name: &str, target: &Path, open: &Path) {
    let bytes = fs::read(target).unwrap();
    let whole = tensors(open).unwrap();
    for length in lengths(bytes.len()) {
        fs::write(target, &bytes[..length]).unwrap();
        match tensors(open) {
            Err(error) => assert!(!error.to_string().is_empty()),
            // White space after JSON means nothing.
            Ok(read) => {
                assert!(bytes[length..].iter().all(u8::is_ascii_whitespace), "{name} cut to {length} opened");
                assert_eq!(read, whole);
            }
        }
        drop(inspect(open));
    }
    fs::write(target, bytes).unwrap();
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "openai-torchscript.pt",
        "state-dict.pt",
        "training-checkpoint.pt",
        "legacy-format.pt",
        "open_clip.safetensors",
    ] {
        let Some(path) = shared(&format!("weights/formats/{name}")) else { return };
        let copy = folder.path().join(name);
        fs::write(&copy, fs::read(path).unwrap()).unwrap();
        every_cut_is_an_error(name, &copy, &copy);
    }
}

#[test]
fn weights_written_here_and_cut_at_any_of_200_places_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.safetensors");
    small().write_safetensors(&path, StorePrecision::F32).unwrap();
    assert!(lengths(fs::metadata(&path).unwrap().len() as usize).len() >= 190);
    every_cut_is_an_error("clip.safetensors", &path, &path);
}

#[test]
fn a_pickled_archive_cut_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let whole = archive(&[("x/data.pkl", &one_tensor(0, &[4], &[1])), ("x/data/0", &storage)]);
    let read = |bytes: &[u8]| PickleFile::open(&file(&folder, bytes)).and_then(|f| f.tensor("t"));
    assert_eq!(read(&whole).unwrap().data, [1.0, 2.0, 3.0, 4.0]);
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "cut to {length} of {}", whole.len());
    }
}

#[test]
fn any_file_of_a_folder_cut_anywhere_is_an_error() {
    for name in ["transformers", "transformers-sharded"] {
        let Some(source) = shared(&format!("weights/formats/{name}")) else { return };
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for entry in fs::read_dir(source).unwrap() {
            let path = entry.unwrap().path();
            let copy = folder.path().join(path.file_name().unwrap());
            fs::write(&copy, fs::read(path).unwrap()).unwrap();
            files.push(copy);
        }
        for file in files {
            every_cut_is_an_error(&file.display().to_string(), &file, folder.path());
        }
    }
}

#[test]
fn a_shard_that_is_missing_or_outside_the_folder_is_named() {
    let Some(source) = shared("weights/formats/transformers-sharded") else { return };
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, fs::read(source.join("model.safetensors.index.json")).unwrap()).unwrap();
    let error = Weights::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("model-00001-of-00005.safetensors"), "{error}");
    fs::write(&index, r#"{"weight_map": {"a": "../outside.safetensors"}}"#).unwrap();
    let error = Weights::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("not a file of its folder"), "{error}");
}

/// A pickle of protocol 2 that would call `posix.system("true")`.
fn command() -> Vec<u8> {
    b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.".to_vec()
}

/// A stored zip archive, as small as can be; checksums are not looked at.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut table) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let offset = (out.len() as u32).to_le_bytes();
        let (length, name_length) = ((data.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
        out.extend([b"PK\x03\x04".as_slice(), &[0; 14], &length, &length, &name_length, &[0; 2]].concat());
        out.extend([name.as_bytes(), data].concat());
        table.extend([b"PK\x01\x02".as_slice(), &[0; 16], &length, &length, &name_length, &[0; 12], &offset].concat());
        table.extend(name.as_bytes());
    }
    let (count, start) = ((entries.len() as u16).to_le_bytes(), (out.len() as u32).to_le_bytes());
    let length = (table.len() as u32).to_le_bytes();
    out.extend([&table, b"PK\x05\x06".as_slice(), &[0; 4], &count, &count, &length, &start, &[0; 2]].concat());
    out
}

fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("file.pt");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_pickle_that_would_run_a_command_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let stack_global = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.";
    let instance = b"\x80\x02(X\x04\x00\x00\x00trueiposix\nsystem\n.";
    for pickle in [command(), stack_global.to_vec(), instance.to_vec()] {
        for bytes in [archive(&[("a/data.pkl", &pickle)]), pickle.clone()] {
            let path = file(&folder, &bytes);
            for error in [
                Weights::open(&path).unwrap_err(),
                PickleFile::open(&path).map(drop).unwrap_err(),
                inspect(&path).map(drop).unwrap_err(),
            ] {
                assert!(
                    matches!(&error, WeightsError::Forbidden { global, .. } if global == "posix.system"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn globals_that_look_like_a_tensor_s_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (global, listed) in [
        ("builtins\neval", false),
        ("torch._utils\n_rebuild_tensor_v2.__globals__", false),
        ("torch.serialization\nload", false),
        ("__torch__x\nEvil", false),
        ("numpy.core.multiarray\n_reconstruct", true),
        ("numpy.testing._private.utils\nrunstring", false),
        ("torch.storage\n_load_from_bytes", false),
        ("builtins\ngetattr", false),
        ("collections\ndefaultdict", true),
        ("torch\nfloat16", true),
        ("torch\nload", false),
        ("__torch__.clip\nModel", true),
        ("collections\nOrderedDict", true),
    ] {
        let pickle = [b"\x80\x02c", global.as_bytes(), b"\n."].concat();
        let path = file(&folder, &archive(&[("data.pkl", &pickle)]));
        let refused = matches!(PickleFile::open(&path), Err(WeightsError::Forbidden { .. }));
        assert_eq!(refused, !listed, "{global}");
    }
}

/// A pickle of protocol 2: a dictionary of tensor `t` and a value `x` beside it.
fn beside(value: &[u8]) -> Vec<u8> {
    let tensor = one_tensor(0, &[4], &[1]);
    let body = &tensor[..tensor.len() - 1];
    [body, b"X\x01\x00\x00\x00x", value, b"s."].concat()
}

#[test]
fn plain_values_beside_tensors_are_left_out_and_nothing_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    for value in [
        // numpy.float64(0.5), as NumPy 1 and 2 write it.
        &b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNtbC\x01atR"[..],
        b"cnumpy._core.multiarray\nscalar\n)R",
        // Namespace(lr=1): an object with a state.
        b"cargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrK\x01sb",
        b"ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR}X\x02\x00\x00\x00lrK\x01sb",
        // defaultdict(list), a set, a dtype, a device, a size, a date, a path, bytes of protocol 2.
        b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(K\x01K\x02u",
        b"c__builtin__\nset\n](K\x01K\x02e\x85R",
        b"ctorch\nfloat16\n",
        b"ctorch\ndevice\nX\x03\x00\x00\x00cpu\x85R",
        b"ctorch\nSize\nK\x01K\x02\x86\x85R",
        b"cdatetime\ndatetime\nc_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00latin1\x86R\x85R",
        b"cpathlib\nPurePosixPath\nX\x01\x00\x00\x00/X\x01\x00\x00\x00x\x86R",
        b"ccollections\nCounter\n}X\x01\x00\x00\x00aK\x01s\x85R",
    ] {
        let path = file(&folder, &archive(&[("x/data.pkl", &beside(value)), ("x/data/0", &storage)]));
        let file = PickleFile::open(&path).unwrap_or_else(|error| panic!("{error}: {}", value.escape_ascii()));
        assert_eq!(file.tensor("t").unwrap().data, [1.0, 2.0, 3.0, 4.0]);
        let names: Vec<&str> = file.tensors().map(|(name, _)| name).collect();
        assert_eq!(names, ["t"], "{}", value.escape_ascii());
    }
}

#[test]
fn a_dictionary_with_a_default_and_a_parameter_with_attributes_hold_their_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let whole = one_tensor(0, &[4], &[1]);
    // Protocol, `}`, the key, the tensor, `s.`.
    let tensor = &whole[2 + 1 + 6..whole.len() - 2];
    let call = b"ctorch._utils\n_rebuild_tensor_v2\n";
    let arguments = &tensor[call.len()..tensor.len() - 1];
    let subclass = [
        &b"ctorch._tensor\n_rebuild_from_type_v2\n("[..],
        call,
        b"ctorch.nn.parameter\nParameter\n",
        arguments,
        b"}tR",
    ]
    .concat();
    let with_state = [&b"ctorch._utils\n_rebuild_parameter_with_state\n("[..], tensor, b"\x88N}tR"].concat();
    for value in [tensor, &subclass, &with_state] {
        let start = b"\x80\x02ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RX\x01\x00\x00\x00t";
        let pickle = [&start[..], value, b"s."].concat();
        let path = file(&folder, &archive(&[("x/data.pkl", &pickle), ("x/data/0", &storage)]));
        assert_eq!(PickleFile::open(&path).unwrap().tensor("t").unwrap().data, [1.0, 2.0, 3.0, 4.0]);
    }
}

#[test]
fn a_module_saved_whole_is_called_so_and_its_state_dict_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let state = b")\x81}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_buffers}X\x08\x00\x00\x00_modules}ub.";
    for class in ["torch.nn.modules.linear\nLinear", "__main__\nNet", "open_clip.model\nCLIP"] {
        let pickle = [b"\x80\x02c", class.as_bytes(), b"\n", state].concat();
        let error = Weights::open(&file(&folder, &archive(&[("data.pkl", &pickle)]))).unwrap_err();
        assert!(matches!(&error, WeightsError::WholeModule { .. }), "{error}");
        assert!(error.to_string().contains("`model.state_dict()`"), "{error}");
    }
    let other = b"\x80\x02c__main__\nNet\n)\x81.";
    let error = Weights::open(&file(&folder, &archive(&[("data.pkl", other)]))).unwrap_err();
    assert!(matches!(&error, WeightsError::Forbidden { global, .. } if global == "__main__.Net"), "{error}");
}

#[test]
fn a_storage_of_bytes_is_read_by_the_type_beside_it_and_eight_bit_floats_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let read = |dtype: &str| {
        let pickle = [
            &b"\x80\x02}X\x01\x00\x00\x00tctorch._utils\n_rebuild_tensor_v3\n((X\x07\x00\x00\x00storagectorch.storage\n"[..],
            b"UntypedStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x10tQK\x00(K\x04t(K\x01t\x89ccollections\nOrderedDict\n)Rctorch\n",
            dtype.as_bytes(),
            b"\ntRs.",
        ]
        .concat();
        PickleFile::open(&file(&folder, &archive(&[("x/data.pkl", &pickle), ("x/data/0", &storage)])))
    };
    assert_eq!(read("float32").unwrap().tensor("t").unwrap().data, [1.0, 2.0, 3.0, 4.0]);
    assert!(matches!(read("float64"), Err(WeightsError::Damaged { .. })), "four values of eight bytes are not there");
    let error = read("float8_e4m3fn").unwrap_err().to_string();
    assert!(error.contains("8-bit floating-point numbers") && error.contains("convert it"), "{error}");
}

/// A pickle of one tensor `t` over a storage of four f32.
fn one_tensor(first: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let mut p = b"\x80\x02}X\x01\x00\x00\x00tctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    p.extend(b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ");
    p.extend([b'K', first]);
    for sizes in [shape, strides] {
        p.push(b'(');
        sizes.iter().for_each(|n| p.extend([b'K', *n]));
        p.push(b't');
    }
    p.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    p
}

#[test]
fn strided_views_are_honoured_and_those_that_reach_outside_refused() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let read = |pickle: &[u8], storage: &[u8]| {
        let path = file(&folder, &archive(&[("x/data.pkl", pickle), ("x/data/0", storage)]));
        PickleFile::open(&path).and_then(|f| f.tensor("t"))
    };
    let tensor = read(&one_tensor(0, &[2, 2], &[1, 2]), &storage).unwrap();
    assert_eq!((tensor.shape, tensor.data), (vec![2, 2], vec![1.0, 3.0, 2.0, 4.0]), "transposed");
    assert_eq!(read(&one_tensor(1, &[2], &[2]), &storage).unwrap().data, [2.0, 4.0], "every second");
    assert_eq!(read(&one_tensor(3, &[], &[]), &storage).unwrap().data, [4.0], "a scalar");
    assert_eq!(read(&one_tensor(0, &[0, 3], &[3, 1]), &storage).unwrap().data, [0.0f32; 0]);
    for (first, shape, strides) in
        [(1, &[4][..], &[1][..]), (0, &[2, 3], &[2, 1]), (0, &[255, 255], &[0, 0]), (5, &[0], &[1]), (0, &[2], &[1, 1])]
    {
        let error = read(&one_tensor(first, shape, strides), &storage).unwrap_err();
        assert!(error.to_string().contains("reaches outside its storage"), "{error}");
    }
    for other in [&storage[..12], &[storage.clone(), vec![0; 4]].concat()] {
        assert!(matches!(read(&one_tensor(0, &[2], &[1]), other), Err(WeightsError::Damaged { .. })));
    }
}

#[test]
fn pickles_made_to_exhaust_the_reader_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let deep = [b"\x80\x02)".to_vec(), b"\x85".repeat(1_000_000), b".".to_vec()].concat();
    // A list that holds itself, and forty pairs of the pair before.
    let cycle = b"\x80\x02]q\x00h\x00a.".to_vec();
    let doubling = [b"\x80\x02)".to_vec(), b"2\x86".repeat(40), b".".to_vec()].concat();
    let huge = b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.".to_vec();
    for pickle in [deep, cycle, doubling, huge] {
        let path = file(&folder, &archive(&[("data.pkl", &pickle)]));
        assert!(matches!(PickleFile::open(&path), Err(WeightsError::Damaged { .. })), "{:?}", &pickle[..8]);
    }
}

fn without(weights: &Weights, skip: &str) -> Vec<(String, Vec<usize>)> {
    weights
        .names()
        .filter(|name| *name != skip)
        .map(|name| (name.to_owned(), weights.shape(name).unwrap().to_vec()))
        .collect()
}

#[test]
fn a_missing_tensor_is_named_with_its_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weights = small();
    let write = |layout: &[(String, Vec<usize>)]| {
        write_safetensors(&path, layout, StorePrecision::F32, |name| Ok(weights.tensor(name)?.data)).unwrap();
    };
    let name = "transformer.resblocks.0.mlp.c_fc.bias";
    write(&without(&weights, name));
    let error = Weights::open(&path).unwrap_err();
    assert!(
        matches!(&error, WeightsError::Missing { name: n, expected: Some(s), .. } if n == name && *s == [256]),
        "{error}"
    );
    let expected = Difference::Missing { name: name.to_owned(), expected: Some(vec![256]) };
    assert_eq!(inspect(&path).unwrap().differences, [expected]);
    for name in ["visual.conv1.weight", "text_projection", "ln_final.weight", "visual.ln_pre.bias"] {
        write(&without(&weights, name));
        assert!(Weights::open(&path).unwrap_err().to_string().contains(name));
    }
    for unused in ["visual.proj", "logit_scale", "visual.ln_post.weight"] {
        write(&without(&weights, unused));
        let opened = Weights::open(&path).unwrap();
        assert!(matches!(opened.tensor(unused), Err(WeightsError::Missing { .. })), "{unused}");
    }
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weights = small();
    let mut layout = without(&weights, "");
    let name = "visual.transformer.resblocks.0.attn.out_proj.weight";
    layout.iter_mut().find(|(n, _)| n == name).unwrap().1 = vec![32, 128];
    write_safetensors(&path, &layout, StorePrecision::F32, |name| Ok(weights.tensor(name)?.data)).unwrap();
    let error = Weights::open(&path).unwrap_err().to_string();
    assert!(error.contains(name) && error.contains("[32, 128]") && error.contains("[64, 64]"), "{error}");
    let expected = Difference::Misshapen { name: name.to_owned(), expected: vec![64, 64], found: vec![32, 128] };
    assert_eq!(inspect(&path).unwrap().differences, [expected]);
}

#[test]
fn a_gap_among_blocks_and_an_odd_position_table_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weights = small();
    let write = |layout: &[(String, Vec<usize>)]| {
        let count = |name: &str| layout.iter().find(|(other, _)| other == name).unwrap().1.iter().product();
        write_safetensors(&path, layout, StorePrecision::F16, |name| Ok(vec![0.5; count(name)])).unwrap();
    };
    for (from, to) in [
        ("visual.transformer.resblocks.0.", "visual.transformer.resblocks.3."),
        ("transformer.resblocks.0.ln_1.bias", "transformer.resblocks.00.ln_1.bias"),
    ] {
        let mut layout = without(&weights, "");
        layout.iter_mut().for_each(|(name, _)| {
            if let Some(rest) = name.strip_prefix(from) {
                *name = format!("{to}{rest}");
            }
        });
        write(&layout);
        assert!(matches!(Weights::open(&path), Err(WeightsError::Missing { .. })), "{to}");
    }
    let mut layout = without(&weights, "");
    layout.iter_mut().find(|(n, _)| n == "visual.positional_embedding").unwrap().1 = vec![7, 64];
    write(&layout);
    let error = Weights::open(&path).unwrap_err().to_string();
    assert!(error.contains("visual.positional_embedding") && error.contains("[7, 64]"), "{error}");
}

#[test]
fn values_that_are_not_finite_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weights = small();
    write_safetensors(&path, &without(&weights, ""), StorePrecision::F16, |name| {
        let mut data = weights.tensor(name)?.data;
        if name == "ln_final.bias" {
            data[..3].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
        }
        Ok(data)
    })
    .unwrap();
    let report = inspect(&path).unwrap();
    assert_eq!(report.non_finite.len(), 1);
    assert_eq!((report.non_finite[0].name.as_str(), report.non_finite[0].count), ("ln_final.bias", 3));
    assert!(!report.is_usable() && report.differences.is_empty());
}

#[test]
fn weights_that_are_not_finite_are_the_reason_given_and_values_that_nobody_uses_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weights = small();
    let write = |name: &str, precision| {
        write_safetensors(&path, &without(&weights, ""), precision, |other| {
            let mut data = weights.tensor(other)?.data;
            if other == name {
                data[1..3].copy_from_slice(&[f32::NAN, f32::NEG_INFINITY]);
            }
            Ok(data)
        })
        .unwrap();
        Weights::open(&path).unwrap()
    };
    for precision in [StorePrecision::F16, StorePrecision::F32] {
        let name = "visual.transformer.resblocks.0.mlp.c_fc.bias";
        let opened = write(name, precision);
        for error in [opened.check_values().unwrap_err(), opened.floats(name).map(drop).unwrap_err()] {
            let says = error.to_string();
            assert!(says.contains("a.safetensors") && says.contains(name), "{says}");
            assert!(says.contains("2 of 256 values that are NaN or infinite"), "{says}");
        }
        assert!(opened.floats("visual.ln_pre.bias").is_ok());
        write("visual.proj", precision).check_values().unwrap();
        let report = inspect(&path).unwrap();
        assert!(report.is_usable() && !report.non_finite[0].used, "{report:?}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_open_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weights = small();
    weights.write_safetensors(&path, StorePrecision::F32).unwrap();
    let opened = Weights::open(&path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1000).unwrap();
    assert!(matches!(opened.tensor("visual.conv1.weight"), Err(WeightsError::Changed { .. })));
}

#[test]
fn a_file_that_is_not_weights_is_refused_with_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, says) in [
        (&b""[..], "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"<!DOCTYPE html>", "a web page (<!DOCTYPE html>)"),
        (b"\x1f\x8b\x08", "compressed with gzip; unpack it"),
        (b"GGUF\x03", "a GGUF file"),
        (b"\x08\x07\x12\x07pytorch", "an ONNX model"),
        (&archive(&[("readme", b"x")]), "without PyTorch's `data.pkl`"),
        (b"\x80\x02K\x01.", "torch.save did not write"),
    ] {
        let error = Weights::open(&file(&folder, bytes)).unwrap_err();
        assert!(matches!(error, WeightsError::Unrecognised { .. }) && error.to_string().contains(says), "{error}");
    }
    assert!(matches!(Weights::open(folder.path()), Err(WeightsError::Unrecognised { .. })));
    assert!(matches!(Weights::open(&folder.path().join("absent")), Err(WeightsError::Io { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn changed_bytes_never_panic(which in 0usize..5, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let name = ["openai-torchscript.pt", "legacy-format.pt", "authors-checkpoint.pth", "state-dict.pt", "open_clip.safetensors"][which];
        let Some(path) = shared(&format!("weights/formats/{name}")) else { return Ok(()) };
        let mut bytes = fs::read(path).unwrap();
        for (place, value) in changes {
            // Mostly in what describes the tensors: the first and the last 12 kB.
            let at = place.index(24_000);
            let at = if at < 12_000 { at } else { bytes.len() - 24_000 + at };
            bytes[at] = value;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder, &bytes);
        drop(tensors(&path));
        drop(inspect(&path));
        drop(PickleFile::open(&path));
    }

    #[test]
    fn random_pickles_never_panic(opcodes in prop::collection::vec(prop::sample::select(&b"\x80\x02(tN)]}\x85\x86\x87aesubR\x81Qqh\x00\x01K\x88l02.X\x01\x00\x00\x00a"[..]), 0..60)) {
        let folder = tempfile::tempdir().unwrap();
        drop(PickleFile::open(&file(&folder, &archive(&[("data.pkl", &opcodes)]))));
    }
}
