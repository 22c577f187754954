//! The family `spherical` on a device: every case against its f64 reference, and against itself elsewhere.

use std::sync::OnceLock;

use oblate_cli::arguments::Choice;
use oblate_cli::cases::{self, Recipe};
use oblate_cli::compare::{Expected, compare};
use oblate_cli::dispatch::{self, Call};
use oblate_cli::place::{Placement, Session};
use oblate_cli::tensor::is_float;
use oblate_cli::{Tensor, validate};

/// Another seed than the default of `oblate validate`, so that the two do not try the same numbers.
const SEED: u64 = 1;

/// The tests share a context, and a launch is tried under several schedules only where it has its context for itself: as
/// `oblate validate` does.
const SCHEDULES: u32 = 1;

/// One device for all tests: a GPU where there is one, else the software device, as `OBLATE_DEVICE` says.
fn session() -> &'static Session {
    static SESSION: OnceLock<Session> = OnceLock::new();
    SESSION.get_or_init(|| Session::open(Choice::environment().unwrap()).unwrap())
}

/// Every case of the operation: right, the same bits again, at other addresses and in place, a row's bits alone.
fn passes(operation: &str) {
    let cases = cases::of(operation);
    assert!(!cases.is_empty());
    let outcomes = cases.iter().map(|recipe| validate::check(session(), recipe, SEED, SCHEDULES));
    let wrong: Vec<String> = outcomes
        .flat_map(|outcome| {
            let name = outcome.name;
            outcome.problems.into_iter().map(move |problem| format!("{name}: {problem}"))
        })
        .collect();
    let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} problems on {}, the first:\n{shown}", wrong.len(), session());
}

#[test]
fn dense() {
    passes("spherical.dense");
}

#[test]
fn softmax_cross_entropy() {
    passes("spherical.softmax_cross_entropy");
}

#[test]
fn linear_cross_entropy() {
    passes("spherical.linear_cross_entropy");
}

#[test]
fn linear() {
    passes("spherical.linear");
}

#[test]
fn rank() {
    passes("spherical.rank");
}

#[test]
fn hierarchical_softmax() {
    passes("spherical.hierarchical_softmax");
}

/// The case of a name, as a checked call.
fn call(recipe: &Recipe) -> Call {
    let case = recipe.build(SEED);
    let (card, _) = dispatch::operation(case.operation).unwrap();
    let set = case.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Call::new(card, set, case.tensors).unwrap()
}

/// The cases whose names have one of these.
fn named(parts: [&str; 2]) -> Vec<Recipe> {
    let all: Vec<Recipe> =
        cases::all().into_iter().filter(|recipe| parts.iter().any(|part| recipe.name().contains(part))).collect();
    for part in parts {
        assert!(all.iter().any(|recipe| recipe.name().contains(part)), "{part}");
    }
    all
}

/// An output of each operation, moved past its bound in one entry, is caught there; moved within it, it passes.
#[test]
fn an_output_past_its_bound_is_caught() {
    for recipe in named(["f32 [7, 13] bell", "f32 [128, 130, 20] bell"]) {
        let call = call(&recipe);
        let (_, operation) = dispatch::operation(recipe.operation()).unwrap();
        let expected = operation.reference(&call).unwrap();
        let outputs = operation.run(session(), &call, Placement::default()).unwrap();
        for (name, expected) in expected {
            let last = expected.values.len() - 1;
            for (bounds, caught) in [(0.0, false), (3.0, true), (-3.0, true)] {
                let mut moved = Expected { values: outputs[name].to_f64(), ..expected.clone() };
                moved.values[last] = expected.values[last] + bounds * expected.bound(last);
                // A hit of 0 cannot be less.
                let caught = caught && (bounds > 0.0 || moved.values[last] >= 0.0 || is_float(expected.dtype));
                let moved = moved.tensor(false);
                assert_eq!(compare(name, &moved, &expected).wrong, usize::from(caught), "{}: {name}", recipe.name());
            }
        }
    }
}

/// What only the device sees: the error names the row and the value, and is that of the reference.
#[test]
fn a_target_out_of_range_is_an_error() {
    for recipe in named(["[33, 31] bell", "[131, 31, 257] bell"]) {
        let mut call = call(&recipe);
        let rows = call.size("rows");
        let mut targets = call.tensors["targets"].to_i64();
        (targets[20], targets[30]) = (31, -1);
        call.tensors.insert("targets".to_owned(), Tensor::from_i64([rows], &targets));
        let (card, operation) = dispatch::operation(recipe.operation()).unwrap();
        let expected = format!("{}: targets[20] is 31, expected -100 (ignore_index) or 0 to 30", card.name);
        let error = operation.run(session(), &call, Placement::default()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{}", recipe.name());
        assert_eq!(operation.reference(&call).unwrap_err().to_string(), expected, "{}", recipe.name());
    }
}
