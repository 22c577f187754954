//! Every failure of the driver comes back as an error that names it, and nothing is lost by it: the software device fails
//! at each call in turn, and the same work is then done again.

use std::collections::BTreeSet;
use std::sync::Arc;

use oblate::cudarc::driver::{CudaContext, DriverError};
use oblate::spherical::{Dense, DenseConfig, DenseOutputs, DenseTensors};
use oblate::{Device, Error, View, ViewMut, Workspace};
use oblate_softgpu::{Choice, Settings, install_as};

const ROWS: usize = 3;
const CLASSES: usize = 5;

/// Whose call it was that failed.
#[derive(Debug)]
enum Failure {
    Library(Error),
    /// The test's own, through cudarc.
    Caller(DriverError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        Self::Caller(error)
    }
}

impl Failure {
    /// The driver's code, and the function that the library names.
    fn code(&self) -> (u32, Option<&'static str>) {
        match self {
            Self::Library(Error::Driver { code, function, .. }) => (*code, Some(function)),
            Self::Library(other) => panic!("{other}, expected the driver's answer"),
            Self::Caller(error) => (error.0 as u32, None),
        }
    }
}

/// A context of its own in which these faults happen. Making it is no call within it.
fn context(faults: &str) -> Arc<CudaContext> {
    install_as(Choice::Software).expect("the software device");
    let mut settings = Settings::default();
    settings.faults = faults.parse().expect("faults");
    settings.with(|| CudaContext::new_non_primary(0, 0)).expect("a context")
}

/// What comes out where nothing fails.
fn expected() -> Vec<f32> {
    work(&context(""), false).expect("no fault")
}

/// All that a user does with an operation, from a new context to the outputs; a step that fails is tried once more when
/// `again` says so. Gives the losses and the gradient.
fn work(context: &Arc<CudaContext>, again: bool) -> Result<Vec<f32>, Failure> {
    fn tried<T, E>(again: bool, mut step: impl FnMut() -> Result<T, E>) -> Result<T, E> {
        step().or_else(|error| if again { step() } else { Err(error) })
    }
    context.bind_to_thread()?;
    let device = tried(again, Device::current)?;
    let config = DenseConfig { rows: ROWS, classes: CLASSES, ..DenseConfig::default() };
    let dense = tried(again, || Dense::new(&device, config))?;
    let mut workspace = tried(again, || Workspace::new(&device, dense.workspace_bytes()))?;
    let stream = context.default_stream();
    let values: Vec<f32> = (0u8..15).map(|i| f32::from(i) / 4.0).collect();
    let logits = tried(again, || stream.clone_htod(&values))?;
    let targets = tried(again, || stream.clone_htod(&[0_i64, 2, 4]))?;
    let mut loss = tried(again, || stream.alloc_zeros::<f32>(ROWS))?;
    let mut grad = tried(again, || stream.alloc_zeros::<f32>(ROWS * CLASSES))?;
    tried(again, || {
        let tensors = DenseTensors::new(View::new(&logits, [ROWS, CLASSES]), View::new(&targets, [ROWS]));
        let outputs = DenseOutputs {
            loss: ViewMut::new(&mut loss, [ROWS]),
            grad_logits: Some(ViewMut::new(&mut grad, [ROWS, CLASSES])),
        };
        dense.run(&stream, tensors, outputs, &mut workspace)
    })?;
    tried(again, || workspace.status().check(&stream))?;
    let mut all = tried(again, || stream.clone_dtoh(&loss))?;
    all.extend(tried(again, || stream.clone_dtoh(&grad))?);
    Ok(all)
}

/// Has the n-th of something fail, for every n until there is no n-th. Gives the functions that the library named.
fn each(fault: &str, code: u32) -> BTreeSet<&'static str> {
    let expected = expected();
    let mut named = BTreeSet::new();
    for n in 1..1000 {
        match work(&context(&format!("{fault}={n}")), false) {
            Ok(came) => {
                assert_eq!(came, expected, "{fault}={n} never happened");
                assert!(n > 1, "nothing of the kind was done");
                return named;
            }
            Err(failure) => {
                let (came, function) = failure.code();
                assert_eq!(came, code, "{fault}={n}: {failure:?}");
                named.extend(function);
            }
        }
        assert_eq!(work(&context(""), false).expect("another context"), expected, "after {fault}={n}");
    }
    panic!("{fault}=1000 still happens");
}

#[test]
fn an_error_that_stays_is_named_at_each_call() {
    let named = each("sticky", 719);
    // A launch that fails so is named by the event that is recorded behind it, which fails too.
    for function in ["cuModuleLoadData", "cuMemAlloc_v2", "cuEventRecord", "cuStreamSynchronize"] {
        assert!(named.contains(function), "{function} is not among {named:?}");
    }
}

#[test]
fn an_allocation_that_fails_is_named() {
    assert_eq!(each("allocation", 2), BTreeSet::from(["cuMemAlloc_v2"]));
}

#[test]
fn a_launch_that_fails_is_named() {
    assert_eq!(each("launch", 701), BTreeSet::from(["cuLaunchKernel"]));
}

/// What failed is tried again, with the same handle and the same memory.
#[test]
fn nothing_is_lost() {
    let expected = expected();
    for fault in ["allocation=1", "allocation=2", "allocation=3", "launch=1", "launch=2"] {
        let again = work(&context(fault), true).unwrap_or_else(|failure| panic!("{fault}: {failure:?}"));
        assert_eq!(again, expected, "{fault}");
    }
}

/// The library waits for what it reads at the host.
#[test]
fn copies_that_are_late_are_waited_for() {
    let expected = expected();
    for fault in ["late", "slow=2", "late,slow=1"] {
        let came = work(&context(fault), false).unwrap_or_else(|failure| panic!("{fault}: {failure:?}"));
        assert_eq!(came, expected, "{fault}");
    }
}
