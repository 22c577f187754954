//! `oblate advise`: its formulas against what the software device counts, its words, and its wrong uses.

#![allow(clippy::cast_precision_loss, reason = "counts of one call are far below 2^53")]

use std::process::{Command, Output};

use oblate::Dtype;
use oblate_cli::advise::{self, MOST, Shape, Work};
use oblate_cli::arguments::Choice;
use oblate_cli::place::Session;
use oblate_cli::report::Report;
use oblate_cli::report::cards::named;
use oblate_softgpu::inspect::counters::Counters;

/// What the launches of a step count, of kernels whose names begin with the operation's and one of `steps`.
fn counted(session: &Session, operation: &str, shape: &Shape, set: &[(&str, &str)], steps: &[&str]) -> Counters {
    let sizes = [shape.rows, shape.width, shape.classes].map(|size| size.to_string());
    let mut all =
        vec![("rows", &*sizes[0]), ("width", &sizes[1]), ("classes", &sizes[2]), ("dtype", shape.dtype.name())];
    all.extend(set);
    let mut total = Counters::default();
    for launch in Report::measure(session, operation, &all).unwrap().launches {
        if steps.is_empty() || steps.iter().any(|step| launch.kernel.starts_with(&format!("factored_{step}"))) {
            total += &launch.counters;
        }
    }
    total
}

/// Launches and operations of the tensor cores are exact, bytes within 3 %, instructions within `part`.
fn assert_near(work: &Work, counted: &Counters, part: f64, what: &str) {
    assert_eq!(work.launches, counted.launches as f64, "{what}: launches");
    let tensor: Vec<(&str, f64)> = counted.tensor_flops().into_iter().map(|(of, flops)| (of, flops as f64)).collect();
    assert_eq!(work.tensor.iter().map(|(of, flops)| (*of, *flops)).collect::<Vec<_>>(), tensor, "{what}");
    for (name, formula, counted, part) in [
        ("bytes", work.bytes, counted.compulsory_bytes() as f64, 0.03),
        ("instructions", work.instructions, counted.instructions() as f64, part),
    ] {
        let quotient = formula / counted;
        assert!((quotient - 1.0).abs() < part, "{what}: {formula} {name}, counted {counted}: {quotient}");
    }
}

const LINEAR_CROSS_ENTROPY: &str = "spherical.linear_cross_entropy";

#[test]
fn formulas_are_what_the_device_counts() {
    let session = Session::open(Choice::Software).unwrap();
    let shape = |rows, classes, width, dtype| Shape { rows, width, classes, dtype };
    // Of f16 two chunks of one fold each; else one of two or three.
    for shape in
        [shape(384, 2560, 192, Dtype::Bf16), shape(1024, 4096, 128, Dtype::F16), shape(128, 4352, 128, Dtype::F32)]
    {
        let mut work = advise::linear_cross_entropy(&shape, true);
        work.launches -= 1.0; // the update of the weight, which is not this library's
        work.bytes -= advise::update_bytes(&shape);
        let counted = counted(&session, LINEAR_CROSS_ENTROPY, &shape, &[], &[]);
        assert_near(&work, &counted, 0.05, &format!("linear_cross_entropy {shape:?}"));
    }
    for shape in [shape(256, 1536, 256, Dtype::Bf16), shape(1024, 4096, 128, Dtype::F16)] {
        let work = advise::linear_cross_entropy(&shape, false);
        let counted = counted(&session, LINEAR_CROSS_ENTROPY, &shape, &[("need_grad_weight", "false")], &[]);
        assert_near(&work, &counted, 0.05, &format!("linear_cross_entropy, frozen, {shape:?}"));
    }
    for shape in [shape(256, 3000, 192, Dtype::Bf16), shape(128, 3000, 320, Dtype::F32)] {
        let counted = counted(&session, "spherical.linear", &shape, &[], &[]);
        assert_near(&advise::linear(&shape), &counted, 0.05, &format!("linear {shape:?}"));
    }
    // Of each form of the small system.
    let steps = ["prepare", "products", "rows", "combine", "solve", "substitute", "project", "update"];
    for shape in [shape(128, 5000, 320, Dtype::F32), shape(320, 5000, 128, Dtype::F32)] {
        let counted = counted(&session, "spherical.factored", &shape, &[("newton_every", "0")], &steps);
        let work = advise::factored(&shape);
        assert_near(&work, &counted, 0.1, &format!("factored {shape:?}"));
        let (barriers, chain) = (work.barriers(), counted.barrier_chain as f64);
        assert!(barriers <= chain && chain < 1.2 * barriers, "factored {shape:?}: {barriers} barriers of {chain}");
    }
}

fn oblate(arguments: &str) -> Output {
    let advise = Command::new(env!("CARGO_BIN_EXE_oblate")).arg("advise").args(arguments.split(' ')).output();
    advise.unwrap()
}

const LARGE: &str = "--rows 8192 --width 4096 --classes 128256 --card h100";

/// The limits by hand: 8 B D d operations at 0.62 of 989.4 TFLOPS; and with 4096 unknowns 4096^3 / (3 x 128) + 4096^2 clocks
/// of 1980 MHz, 3 x 4096 barriers of 30 clocks, 8 launches of 1 us.
#[test]
fn dense_wins_where_the_batch_is_as_large_as_the_width() {
    let output = oblate(LARGE);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let text = String::from_utf8(output.stdout).unwrap();
    for lines in [
        "H100, 8,192 rows of width 4,096, 128,256 classes, bf16\nmodelled, no measurement: ",
        "To train the weight spherical.linear_cross_entropy is the cheapest: 56,125 us, modelled, and spherical.factored \
         99,050 us.\n",
        "spherical.factored beats spherical.linear_cross_entropy\n  at 8,192 rows of width 4,096: from 226,305 classes on; \
         without the chain: from 88,449 classes on\n  at 128,256 classes of width 4,096: up to 2,114 rows, from 14,438 to \
         17,600 rows\n",
    ] {
        assert!(text.contains(lines), "{lines} is not in\n{text}");
    }
}

/// One class fewer than the crossing, and the other head is the cheaper; which fits the words.
#[test]
fn a_crossing_is_where_the_cheapest_changes() {
    let card = named(&["a100".to_owned()]).unwrap()[0];
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
        let advice = |classes| advise::advise(Shape { rows: 64, width: 256, classes, dtype }, card);
        let [(from, MOST)] = *advice(1).classes else { panic!("{:?}", advice(1).classes) };
        for (classes, factored_wins) in [(from - 1, false), (from, true)] {
            let [dense, factored] = advice(classes).trained;
            assert_eq!(factored.limit < dense.limit, factored_wins, "{dtype} {classes}");
        }
    }
}

#[test]
fn every_wrong_use_gets_one_line() {
    let replaced = |from: &str, to: &str| LARGE.replace(from, to);
    for (arguments, line) in [
        (replaced("h100", "V100"), "no card V100, expected A100, H100, H200, RTX 4090, B200 or RTX 5090"),
        (replaced("8192", "0"), "invalid value '0' for '--rows <B>': 0 is not in 1..=2147483647"),
        (
            LARGE.to_owned() + " --dtype f64",
            "invalid value 'f64' for '--dtype <DTYPE>' [possible values: f32, f16, bf16]",
        ),
    ] {
        let output = oblate(&arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((stderr, output.status.code()), (format!("oblate: {line}\n"), Some(2)), "{arguments}");
        assert!(output.stdout.is_empty(), "{arguments}");
    }
}
