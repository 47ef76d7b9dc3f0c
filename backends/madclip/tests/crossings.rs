//! What crosses between host and device in a step and in an epoch's scores, counted: bytes that are sent, and reads,
//! each of which waits for all that the device was asked to do before.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::cell::Cell;
use std::collections::HashMap;

use burn_backend::{Backend, BackendTypes, DType, DTypeUsageSet, ExecutionError, Shape, TensorData};
use burn_flex::{Flex, FlexDevice};
use burn_ir::{BackendIr, OperationIr, TensorId, TensorIr};
use burn_router::{BackendRouter, MultiBackendBridge, RouterTensor, Runner, RunnerChannel, RunnerClient};
use burn_std::future::DynFut;
use harness_method::heads::{Head, Heads, Learns};
use harness_method::options::{Activation, AdapterAttention, Prompts};
use harness_method::parameters::parameters;
use harness_method::{Arch, Options, streams};
use madclip::{HostTensor, Plain, Trainer, heads, trainer};

thread_local! {
    /// Bytes that this thread sent, and its reads.
    static CROSSED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// What a call made cross: bytes sent, and reads.
fn crossed<R>(call: impl FnOnce() -> R) -> (usize, usize, R) {
    CROSSED.set((0, 0));
    let result = call();
    let (sent, reads) = CROSSED.get();
    (sent, reads, result)
}

/// Hands everything to the processor, and counts what comes and goes.
#[derive(Clone, Debug)]
struct Counting(Runner<Flex>);

impl RunnerClient for Counting {
    type Device = FlexDevice;

    fn register_op(&self, op: OperationIr) {
        self.0.register_op(op);
    }

    fn read_tensor_async(&self, tensor: TensorIr) -> DynFut<Result<TensorData, ExecutionError>> {
        let (sent, reads) = CROSSED.get();
        CROSSED.set((sent, reads + 1));
        self.0.read_tensor_async(tensor)
    }

    fn register_tensor_data(&self, data: TensorData) -> RouterTensor<Self> {
        let (sent, reads) = CROSSED.get();
        CROSSED.set((sent + data.as_bytes().len(), reads));
        let TensorIr { id, shape, dtype, .. } = self.0.register_tensor_data_desc(data);
        RouterTensor::new(id, shape, dtype, self.clone())
    }

    fn sync(&self) -> Result<(), ExecutionError> {
        self.0.sync()
    }

    fn create_empty_handle(&self) -> TensorId {
        self.0.create_empty_handle()
    }

    fn device(&self) -> FlexDevice {
        self.0.device()
    }

    fn seed(&self, seed: u64) {
        self.0.seed(seed);
    }

    fn dtype_usage(&self, dtype: DType) -> DTypeUsageSet {
        self.0.dtype_usage(dtype)
    }
}

type Handle = <Flex as BackendIr>::Handle;

/// The way to the one device.
#[derive(Clone)]
struct Channel;

impl RunnerChannel for Channel {
    type Device = FlexDevice;
    type Bridge = Self;
    type Client = Counting;
    type FloatElem = <Flex as BackendTypes>::FloatElem;
    type IntElem = <Flex as BackendTypes>::IntElem;
    type BoolElem = <Flex as BackendTypes>::BoolElem;

    fn name(device: &FlexDevice) -> String {
        Flex::name(device)
    }

    fn init_client(device: &FlexDevice) -> Counting {
        Counting(Runner::new(*device))
    }

    fn get_tensor_handle(tensor: &TensorIr, client: &Counting) -> Handle {
        client.0.get_tensor_handle(tensor)
    }

    fn register_tensor(client: &Counting, handle: Handle, shape: Shape, dtype: DType) -> RouterTensor<Counting> {
        client.0.register_tensor(handle, shape, dtype, client.clone())
    }
}

impl MultiBackendBridge for Channel {
    type TensorHandle = Handle;
    type Device = FlexDevice;

    fn change_backend_float(tensor: Handle, _: Shape, _: &FlexDevice) -> Handle {
        tensor
    }

    fn change_backend_int(tensor: Handle, _: Shape, _: &FlexDevice) -> Handle {
        tensor
    }

    fn change_backend_bool(tensor: Handle, _: Shape, _: &FlexDevice) -> Handle {
        tensor
    }
}

type Counted = BackendRouter<Channel>;

/// Support images.
const N: usize = 6;
const LABELS: [u8; N] = [0, 1, 0, 1, 0, 1];
/// Images of a step.
const BATCH: usize = 4;
const SIDE: usize = 12;
const F32: usize = size_of::<f32>();

fn arch() -> Arch {
    Arch {
        image_size: SIDE,
        patch: 4,
        width: 16,
        layers: 4,
        heads: 2,
        embed: 12,
        vocab: 8,
        context: 14,
        text_width: 8,
        text_layers: 1,
        text_heads: 1,
    }
}

/// The four taps of the released model.
fn options() -> Options {
    Options {
        image_size: SIDE,
        taps: vec![1, 2, 3, 4],
        adapter_attention: AdapterAttention::Tokens,
        prompts: Prompts::Free,
        ..Options::default()
    }
}

fn values(name: &str, count: usize) -> Vec<f32> {
    streams::uniform(name, 0, count, 1.0)
}

/// Taps of N images.
fn taps() -> Vec<Vec<f32>> {
    (1..=4).map(|tap| values(&format!("tap.{tap}"), N * arch().tokens(SIDE) * arch().width)).collect()
}

fn slices(taps: &[Vec<f32>]) -> Vec<&[f32]> {
    taps.iter().map(Vec::as_slice).collect()
}

fn masks() -> Vec<u8> {
    (0..N * SIDE * SIDE).map(|i| u8::from(LABELS[i / (SIDE * SIDE)] == 1 && i % 3 == 0)).collect()
}

fn madclip() -> Trainer<Counted, Plain> {
    let (arch, options) = (arch(), options());
    let state: HashMap<String, HostTensor<'static>> = parameters(&options, &arch)
        .into_iter()
        .map(|p| (p.name.clone(), HostTensor { data: p.values(1).into(), shape: p.shape }))
        .collect();
    let settings = trainer::Settings { options: &options, arch: &arch, has_masks: true, learning_rate: 1e-2 };
    let mut trainer = Trainer::new(&settings, None, &Default::default(), &state, &FlexDevice).unwrap();
    trainer.append_support(&slices(&taps()), &LABELS, Some(&masks())).unwrap();
    trainer
}

/// Heads for images and for pixels on every tap, as `mvfa` has them on frozen taps.
fn of_heads() -> heads::HeadsTrainer<Counted, Plain> {
    let arch = arch();
    let heads = Heads {
        image_size: SIDE,
        taps: vec![1, 2, 3, 4],
        heads: vec![
            Head { name: "seg".into(), learns: Learns::Pixels },
            Head { name: "det".into(), learns: Learns::Images },
        ],
        activation: Activation::QuickGelu,
        name: "adapter".into(),
        bias: false,
        leaky: true,
        residual: 0.0,
        bank: false,
    };
    let state: HashMap<String, HostTensor<'static>> = heads
        .parameters(&arch)
        .into_iter()
        .map(|p| (p.name.clone(), HostTensor { data: p.values(1).into(), shape: p.shape }))
        .collect();
    let direction = HostTensor { shape: vec![arch.embed], data: values("direction", arch.embed).into() };
    let given = HashMap::from([("text.direction".to_owned(), direction)]);
    let settings = heads::Settings { heads: &heads, arch: &arch, has_masks: true, learning_rate: 1e-2 };
    let mut trainer = heads::HeadsTrainer::new(&settings, &given, &state, &FlexDevice).unwrap();
    trainer.append_support(&slices(&taps()), &LABELS, Some(&masks())).unwrap();
    trainer
}

#[test]
fn a_step_sends_labels_masks_and_indices_and_reads_all_losses_at_once() {
    let expected = BATCH * F32 + BATCH * SIDE * SIDE * F32 + 4 * BATCH * size_of::<i32>();
    let mut model = madclip();
    // The first step joins what was appended.
    for _ in 0..2 {
        let (sent, reads, losses) = crossed(|| model.step(&[0, 1, 2, 3]).unwrap());
        assert_eq!((sent, reads, losses.len()), (expected, 1, 3));
    }
    let mut model = of_heads();
    for _ in 0..2 {
        let (sent, reads, losses) = crossed(|| model.step(&[0, 1, 2, 3]).unwrap());
        assert_eq!((sent, reads, losses.len()), (expected, 1, 3));
    }
}

#[test]
fn held_taps_are_sent_once_however_many_states_score_them() {
    let (taps, states) = (taps(), 5);
    // A linear adapter has no use for the class token.
    let all = 4 * N * (arch().tokens(SIDE) - 1) * arch().width * F32;
    let mut model = madclip();
    let mut state = |_| {
        model.step(&[0, 1, 2, 3]).unwrap();
        crossed(|| model.score(&slices(&taps), N, false).unwrap())
    };
    // Grids and detection are one read.
    assert!((0..states).map(&mut state).all(|(sent, reads, _)| (sent, reads) == (all, 1)));
    let (sent, reads, held) = crossed(|| model.hold(&slices(&taps), N).unwrap());
    assert_eq!((sent, reads), (all, 0));
    let images: Vec<usize> = (0..N).collect();
    for _ in 0..states {
        model.step(&[0, 1, 2, 3]).unwrap();
        let (sent, reads, scores) = crossed(|| model.score_held(&held, &images, false).unwrap());
        let again = model.score(&slices(&taps), N, false).unwrap();
        assert_eq!((sent, reads), (0, 1));
        assert!(scores.grids == again.grids && scores.detection == again.detection);
    }
    // Of some of them, their indices are sent for each tap.
    let (sent, reads, _) = crossed(|| model.score_held(&held, &[4, 1], false).unwrap());
    assert_eq!((sent, reads), (4 * 2 * size_of::<i32>(), 1));
    assert!(model.score_held(&held, &[0, N], false).is_err() && model.score_held(&held, &[], false).is_err());

    let mut model = of_heads();
    let held = model.hold(&slices(&taps), N).unwrap();
    let (sent, reads, grids) = crossed(|| model.score_held(&held, &images).unwrap());
    assert_eq!((sent, reads, grids), (0, 1, model.score(&slices(&taps), N).unwrap()));
}
