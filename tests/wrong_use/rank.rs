//! `spherical.rank`.

use oblate::cudarc::driver::CudaSlice;
use oblate::spherical::{
    Rank, RankConfig as Config, RankOutputs as Outputs, RankPointers as Pointers, RankTensors as Tensors,
};
use oblate::{DevicePtr, Dtype, Error, Stream, View, ViewMut, Workspace};

use crate::message;
use crate::slices::{CLASSES, ROWS, Slices};

const NAME: &str = "spherical.rank";

fn config() -> Config {
    Config { rows: ROWS, classes: CLASSES, ..Config::default() }
}

fn of_head() -> Config {
    Config { width: Some(CLASSES), ..config() }
}

#[test]
fn configurations() {
    let slices = Slices::new();
    for (config, expected) in [
        (Config { dtype: Dtype::U8, ..config() }, "logits is u8, expected f32 or f16 or bf16"),
        (Config { dtype: Dtype::U8, ..of_head() }, "hidden is u8, expected f32 or f16 or bf16"),
        (Config { index_dtype: Dtype::F16, ..config() }, "targets is f16, expected i64 or u32"),
        (Config { rows: 1 << 31, ..config() }, "rows is 2147483648, expected 0 to 2147483647"),
        (Config { classes: 0, ..config() }, "classes is 0, expected 1 to 2147483647"),
        (Config { width: Some(0), ..config() }, "width is 0, expected 1 to 2147483647"),
        (Config { k: 0, ..config() }, "k is 0, expected an integer >= 1"),
    ] {
        assert_eq!(message(Rank::new(&slices.device, config)), format!("{NAME}: {expected}"));
    }
}

#[test]
fn tensors() {
    struct Call<'a> {
        slices: &'a Slices,
        rank: &'a mut CudaSlice<u32>,
        hits: &'a mut CudaSlice<u8>,
    }
    type Build = for<'a> fn(Call<'a>) -> (Tensors<'a>, Outputs<'a>);
    fn outputs<'a>(rank: &'a mut CudaSlice<u32>, hits: &'a mut CudaSlice<u8>) -> Outputs<'a> {
        Outputs { rank: ViewMut::new(rank, [ROWS]), hits: ViewMut::new(hits, [ROWS]) }
    }
    fn logits(slices: &Slices) -> Tensors<'_> {
        Tensors::of_logits(View::new(&slices.right.logits, [ROWS, CLASSES]), View::new(&slices.right.targets, [ROWS]))
    }
    let calls: [(Config, Build, &str); 9] = [
        (
            config(),
            |c| {
                let logits = View::new(&c.slices.wrong.halves, [ROWS, CLASSES]);
                let targets = View::new(&c.slices.right.targets, [ROWS]);
                (Tensors::of_logits(logits, targets), outputs(c.rank, c.hits))
            },
            "logits is f16, expected f32",
        ),
        (
            config(),
            |c| {
                let logits = View::new(&c.slices.right.logits, [CLASSES, ROWS]);
                let targets = View::new(&c.slices.right.targets, [ROWS]);
                (Tensors::of_logits(logits, targets), outputs(c.rank, c.hits))
            },
            "logits has shape [3, 2], expected [2, 3]",
        ),
        (of_head(), |c| (logits(c.slices), outputs(c.rank, c.hits)), "logits is given, expected none with width"),
        (
            config(),
            |c| (Tensors { logits: None, ..logits(c.slices) }, outputs(c.rank, c.hits)),
            "logits is missing, expected f32 [2, 3]",
        ),
        (
            of_head(),
            |c| (Tensors { logits: None, ..logits(c.slices) }, outputs(c.rank, c.hits)),
            "hidden is missing, expected f32 [2, 3]",
        ),
        (
            of_head(),
            |c| {
                let hidden = Some(View::new(&c.slices.right.logits, [ROWS, CLASSES]));
                (Tensors { logits: None, hidden, ..logits(c.slices) }, outputs(c.rank, c.hits))
            },
            "weight is missing, expected f32 [3, 3]",
        ),
        (
            of_head(),
            |c| {
                let hidden = View::new(&c.slices.right.logits, [ROWS, CLASSES]);
                let weight = View::new(&c.slices.wrong.floats, [CLASSES, CLASSES]);
                let targets = View::new(&c.slices.right.targets, [ROWS]);
                (Tensors::of_head(hidden, weight, targets), outputs(c.rank, c.hits))
            },
            "weight has 6 elements, expected 9",
        ),
        (
            config(),
            |c| {
                let rank = ViewMut::new(c.rank, [ROWS, 1]);
                (logits(c.slices), Outputs { rank, hits: ViewMut::new(c.hits, [ROWS]) })
            },
            "rank has shape [2, 1], expected [2]",
        ),
        (
            config(),
            |c| {
                let hits = ViewMut::new(c.rank, [ROWS]);
                let rank = ViewMut::new(c.hits, [ROWS]);
                (logits(c.slices), Outputs { rank, hits })
            },
            "rank is u8, expected u32",
        ),
    ];
    let slices = Slices::new();
    let mut rank = slices.stream.alloc_zeros::<u32>(ROWS).expect("memory");
    let mut hits = slices.stream.alloc_zeros::<u8>(ROWS).expect("memory");
    for (config, build, expected) in calls {
        let handle = Rank::new(&slices.device, config).expect("a handle");
        let mut workspace = Workspace::new(&slices.device, handle.workspace_bytes()).expect("memory");
        let (tensors, outputs) = build(Call { slices: &slices, rank: &mut rank, hits: &mut hits });
        let said = message(handle.run(&slices.stream, tensors, outputs, &mut workspace));
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
    // None of them has left anything: logits 0.5, 1, -1 and 0, 2, 0.25, targets 0 and 2.
    let handle = Rank::new(&slices.device, config()).expect("a handle");
    let mut workspace = Workspace::new(&slices.device, handle.workspace_bytes()).expect("memory");
    handle.run(&slices.stream, logits(&slices), outputs(&mut rank, &mut hits), &mut workspace).expect("a run");
    assert_eq!(workspace.status().check(&slices.stream), Ok(()));
    assert_eq!(slices.stream.clone_dtoh(&rank).expect("ranks"), [2, 2]);
    assert_eq!(slices.stream.clone_dtoh(&hits).expect("hits"), [0, 0]);
}

#[test]
fn pointers() {
    let slices = Slices::new();
    let handle = Rank::new(&slices.device, of_head()).expect("a handle");
    // Each tensor at a multiple of 256 bytes of made-up addresses: no call gets to the device.
    let at = |i: u64| DevicePtr(0x10000 + 256 * i);
    let right = Pointers {
        logits: None,
        hidden: Some(at(0)),
        weight: Some(at(1)),
        targets: at(2),
        rank: at(3),
        hits: at(4),
        workspace: at(6),
        workspace_bytes: handle.workspace_bytes(),
        status: at(5),
    };
    let own = "expected memory of its own";
    let room = handle.workspace_bytes();
    for (pointers, expected) in [
        (Pointers { logits: Some(at(9)), ..right }, "logits is given, expected none with width".to_owned()),
        (Pointers { weight: None, ..right }, "weight is missing, expected f32 [3, 3]".into()),
        (Pointers { workspace_bytes: 5, ..right }, format!("the workspace has 5 bytes, expected {room} or more")),
        (Pointers { hidden: Some(at(0).add(2)), ..right }, "hidden is at 0x10002, expected a multiple of 4".into()),
        (Pointers { targets: DevicePtr::NULL, ..right }, "targets is a null pointer, expected 2 elements".into()),
        (Pointers { hits: at(3).add(7), ..right }, format!("hits overlaps rank, {own}")),
        (Pointers { rank: at(1), ..right }, format!("rank overlaps weight, {own}")),
        (Pointers { status: at(5).add(4), ..right }, "the status is at 0x10504, expected a multiple of 8".into()),
    ] {
        // SAFETY: every one of them is refused.
        let said = unsafe { handle.launch(Stream::from(slices.stream.as_ref()), &pointers) };
        assert_eq!(message(said), format!("{NAME}: {expected}"));
    }
}

/// A target that is no class is told by the workspace; its rank and hits are 0.
#[test]
fn a_target_out_of_range() {
    let slices = Slices::new();
    let handle = Rank::new(&slices.device, Config { k: 2, ..config() }).expect("a handle");
    let mut workspace = Workspace::new(&slices.device, handle.workspace_bytes()).expect("memory");
    let targets = slices.stream.clone_htod(&[0_i64, 3]).expect("memory");
    let mut rank = slices.stream.clone_htod(&[9_u32, 9]).expect("memory");
    let mut hits = slices.stream.clone_htod(&[9_u8, 9]).expect("memory");
    let tensors = Tensors::of_logits(View::new(&slices.right.logits, [ROWS, CLASSES]), View::new(&targets, [ROWS]));
    let outputs = Outputs { rank: ViewMut::new(&mut rank, [ROWS]), hits: ViewMut::new(&mut hits, [ROWS]) };
    handle.run(&slices.stream, tensors, outputs, &mut workspace).expect("a run");
    let told = workspace.status().check(&slices.stream).expect_err("a target is wrong");
    assert!(matches!(told, Error::TargetOutOfRange { .. }));
    assert_eq!(told.to_string(), format!("{NAME}: targets[1] is out of range, expected -100 (ignore_index) or 0 to 2"));
    assert_eq!(slices.stream.clone_dtoh(&rank).expect("ranks"), [2, 0]);
    assert_eq!(slices.stream.clone_dtoh(&hits).expect("hits"), [1, 0]);
}
