//! `spherical.factored`.

use oblate::cudarc::driver::CudaSlice;
use oblate::spherical::{
    Factored, FactoredConfig as Config, FactoredLayer, FactoredOutputs as Outputs, FactoredPointers as Pointers,
    FactoredTensors as Tensors, Loss,
};
use oblate::{DevicePtr, Dtype, Reduction, Stream, View, ViewMut};

use crate::message;
use crate::slices::{CLASSES, ROWS, Slices};

const WIDTH: usize = 4;
const NAME: &str = "spherical.factored";

fn config() -> Config {
    Config { rows: ROWS, classes: CLASSES, width: WIDTH, learning_rate: 0.1, ..Config::default() }
}

/// What right and wrong calls are made of.
struct Memory {
    slices: Slices,
    weight: CudaSlice<f32>,
    hidden: CudaSlice<f32>,
    loss: CudaSlice<f32>,
    grad_hidden: CudaSlice<f32>,
}

impl Memory {
    fn new() -> Self {
        let slices = Slices::new();
        let floats = |count| slices.stream.clone_htod(&vec![0.25_f32; count]).expect("memory");
        Self {
            weight: floats(CLASSES * WIDTH),
            hidden: floats(ROWS * WIDTH),
            loss: floats(ROWS),
            grad_hidden: floats(ROWS * WIDTH),
            slices,
        }
    }

    fn layer(&self, config: Config) -> FactoredLayer {
        let weight = View::new(&self.weight, [CLASSES, WIDTH]);
        FactoredLayer::new(&self.slices.device, &self.slices.stream, config, weight).expect("a layer")
    }

    /// A step that nothing is wrong with, and something that may be.
    fn right(&mut self) -> (Tensors<'_>, Outputs<'_>, &CudaSlice<f32>) {
        let tensors =
            Tensors::new(View::new(&self.hidden, [ROWS, WIDTH]), View::new(&self.slices.right.targets, [ROWS]));
        let outputs = Outputs {
            loss: ViewMut::new(&mut self.loss, [ROWS]),
            grad_hidden: Some(ViewMut::new(&mut self.grad_hidden, [ROWS, WIDTH])),
        };
        (tensors, outputs, &self.weight)
    }
}

#[test]
fn configurations() {
    let slices = Slices::new();
    let one = config();
    for (config, expected) in [
        (Config { index_dtype: Dtype::F16, ..one }, "targets is f16, expected i64 or u32"),
        (Config { rows: 1 << 31, ..one }, "rows is 2147483648, expected 0 to 2147483647"),
        (Config { classes: 0, ..one }, "classes is 0, expected 1 to 2147483647"),
        (Config { width: 0, ..one }, "width is 0, expected 1 to 2147483647"),
        (Config { targets_per_row: Some(0), ..one }, "targets_per_row is 0, expected 1 to 2147483647"),
        (Config { loss: Loss::Z { a: 0.0, b: 0.0 }, ..one }, "a is 0, expected a number > 0"),
        (Config { learning_rate: -1.0, ..one }, "learning_rate is -1, expected a number >= 0"),
        (Config { learning_rate: f64::NAN, ..one }, "learning_rate is NaN, expected a number >= 0"),
        (Config { weight_decay: -0.5, ..one }, "weight_decay is -0.5, expected a number >= 0"),
        (
            Config { learning_rate: 0.25, weight_decay: 4.0, ..one },
            "weight_decay is 4, expected a number below 4 (1 / learning_rate)",
        ),
        (
            Config { fold_range: (2.0, 1.0), ..one },
            "fold_range is 2,1, expected two numbers in ascending order, each a number > 0",
        ),
    ] {
        assert_eq!(message(Factored::new(&slices.device, config)), format!("{NAME}: {expected}"));
    }
}

#[test]
fn tensors() {
    type Change = for<'a> fn(Tensors<'a>, Outputs<'a>, &'a CudaSlice<f32>) -> (Tensors<'a>, Outputs<'a>);
    let one = config();
    let calls: [(Config, Change, &str); 8] = [
        (one, |t, o, w| (Tensors { hidden: View::new(w, [3, 4]), ..t }, o), "hidden has shape [3, 4], expected [2, 4]"),
        (one, |t, o, w| (Tensors { hidden: View::new(w, [2, 4]), ..t }, o), "hidden has 12 elements, expected 8"),
        (one, |t, o, w| (Tensors { targets: View::new(w, [2]), ..t }, o), "targets is f32, expected i64"),
        (one, |t, o, w| (Tensors { values: Some(View::new(w, [2])), ..t }, o), "values has 12 elements, expected 2"),
        (Config { targets_per_row: Some(1), ..one }, |t, o, _| (t, o), "targets has shape [2], expected [2, 1]"),
        (one, |t, o, _| (t, Outputs { grad_hidden: None, ..o }), "grad_hidden is missing, expected f32 [2, 4]"),
        (Config { need_grad: false, ..one }, |t, o, _| (t, o), "grad_hidden is given, expected none without need_grad"),
        (Config { reduction: Reduction::Sum, ..one }, |t, o, _| (t, o), "loss has shape [2], expected []"),
    ];
    let mut memory = Memory::new();
    for (config, change, expected) in calls {
        let mut layer = memory.layer(config);
        let stream = memory.slices.stream.clone();
        let (tensors, outputs, weight) = memory.right();
        let (tensors, outputs) = change(tensors, outputs, weight);
        assert_eq!(message(layer.step(&stream, tensors, outputs)), format!("{NAME}: {expected}"));
        assert_eq!(layer.steps(), 0);
    }
    let slices = &memory.slices;
    let transposed = View::new(&memory.weight, [WIDTH, CLASSES]);
    let said = message(FactoredLayer::new(&slices.device, &slices.stream, one, transposed));
    assert_eq!(said, format!("{NAME}: weight has shape [4, 3], expected [3, 4]"));
}

#[test]
fn pointers() {
    let slices = Slices::new();
    let handle = Factored::new(&slices.device, Config { targets_per_row: Some(2), ..config() }).expect("a handle");
    // Each tensor at a multiple of 256 bytes of made-up addresses: no call gets to the device.
    let at = |i: u64| DevicePtr(0x10000 + 256 * i);
    let right = Pointers {
        hidden: at(0),
        targets: at(1),
        values: Some(at(2)),
        row_weights: Some(at(3)),
        grad_loss: Some(at(4)),
        loss: at(5),
        grad_hidden: Some(at(6)),
        status: at(7),
        memory: at(8),
    };
    let own = "expected memory of its own";
    let stream = Stream::from(&*slices.stream);
    for (pointers, expected) in [
        (Pointers { values: None, ..right }, "values is missing, expected f32 [2, 2]".to_string()),
        (Pointers { grad_hidden: None, ..right }, "grad_hidden is missing, expected f32 [2, 4]".into()),
        (Pointers { hidden: DevicePtr::NULL, ..right }, "hidden is a null pointer, expected 8 elements".into()),
        (Pointers { hidden: at(0).add(2), ..right }, "hidden is at 0x10002, expected a multiple of 4".into()),
        (Pointers { memory: at(8).add(8), ..right }, "the memory is at 0x10808, expected a multiple of 16".into()),
        (Pointers { grad_hidden: Some(at(0)), ..right }, format!("grad_hidden overlaps hidden, {own}")),
        (Pointers { status: at(8), ..right }, format!("the status overlaps the memory, {own}")),
    ] {
        // SAFETY: the call is refused before anything is launched.
        let said = message(unsafe { handle.launch(stream, &pointers, 0) });
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
    // SAFETY: as above.
    let said = message(unsafe { handle.load(stream, at(9), at(8)) });
    assert_eq!(said, format!("{NAME}: the memory overlaps weight, {own}"));
    // SAFETY: as above.
    let said = message(unsafe { handle.expand(stream, at(8), at(9)) });
    assert_eq!(said, format!("{NAME}: the memory overlaps weight, {own}"));
}
