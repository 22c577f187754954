//! A faulty program for each finding, its text compared as a whole, and its clean twin, which gives none. A program is a
//! `.cu` of this folder, compiled with and without `FAULT`; beside it lies the text of what the device finds.
//!
//! To see what a changed device says: `SOFTGPU_BLESS=1 cargo test -p oblate-softgpu --test findings` writes the texts,
//! which are then read before they are committed.

use std::path::{Path, PathBuf};

use cudarc::driver::{CudaContext, DevicePtr, DriverError, LaunchConfig, PushKernelArg, sys::CUresult};
use cudarc::nvrtc::Ptx;
use oblate_softgpu::Choice;

#[path = "../compile/mod.rs"]
mod compile;

/// What the host does with the input before the launch.
#[derive(Clone, Copy, PartialEq)]
enum Input {
    Given,
    Freed,
    OnTheHost,
}

struct Case {
    name: &'static str,
    blocks: u32,
    threads: u32,
    input: Input,
    /// Under which the faulty program is run; the clean one always is, under several.
    schedules: u32,
    /// What the driver answers when the host next waits.
    result: CUresult,
}

const fn case(name: &'static str, threads: u32, result: CUresult) -> Case {
    Case { name, blocks: 1, threads, input: Input::Given, schedules: 1, result }
}

/// Threads that race; the launch goes on.
const fn race(name: &'static str, blocks: u32, threads: u32) -> Case {
    Case { blocks, ..case(name, threads, CUresult::CUDA_SUCCESS) }
}

const CASES: &[Case] = &[
    case("out_of_bounds_load", 30, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
    case("out_of_bounds_store", 32, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
    case("before_the_start", 30, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
    case("null_pointer", 30, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
    case("shared_out_of_bounds", 30, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
    case("local_out_of_bounds", 30, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
    case("misaligned", 30, CUresult::CUDA_ERROR_MISALIGNED_ADDRESS),
    Case { input: Input::Freed, ..case("use_after_free", 30, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS) },
    Case { input: Input::OnTheHost, ..case("host_pointer", 30, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS) },
    case("uninitialised_global", 30, CUresult::CUDA_SUCCESS),
    case("uninitialised_shared", 30, CUresult::CUDA_SUCCESS),
    case("uninitialised_local", 30, CUresult::CUDA_SUCCESS),
    case("barrier_divergence", 64, CUresult::CUDA_ERROR_LAUNCH_FAILED),
    case("barrier_missed", 64, CUresult::CUDA_ERROR_LAUNCH_TIMEOUT),
    case("mask_mismatch", 32, CUresult::CUDA_ERROR_LAUNCH_TIMEOUT),
    case("lane_outside_its_mask", 32, CUresult::CUDA_ERROR_LAUNCH_FAILED),
    case("trap", 32, CUresult::CUDA_ERROR_LAUNCH_FAILED),
    case("assertion", 32, CUresult::CUDA_ERROR_ASSERT),
    case("endless", 32, CUresult::CUDA_ERROR_LAUNCH_TIMEOUT),
    case("endless_work", 32, CUresult::CUDA_ERROR_LAUNCH_TIMEOUT),
    case("copy_not_waited_for", 30, CUresult::CUDA_SUCCESS),
    case("copy_in_flight_at_exit", 30, CUresult::CUDA_SUCCESS),
    race("shared_race", 1, 64),
    race("tile_reused", 1, 64),
    race("warp_exchange", 1, 32),
    race("halves_of_a_warp", 1, 32),
    race("warp_private", 1, 96),
    race("named_barrier_race", 1, 64),
    race("mbarrier_race", 1, 64),
    race("atomics_then_read", 1, 64),
    race("equal_writes", 1, 64),
    race("copy_overwrites", 1, 64),
    race("copy_of_another", 1, 32),
    race("in_place", 4, 32),
    race("rows_that_overlap", 4, 32),
    race("last_block", 4, 32),
    race("barrier_before_ticket", 4, 64),
    race("look_back", 4, 32),
    race("unlocked_early", 4, 32),
    race("grid_barrier", 4, 64),
    Case { schedules: 4, ..race("schedule_decides", 4, 32) },
];

/// Under which every clean twin gives one result and no finding.
const SCHEDULES: u32 = 4;

/// Runs a case in a context of its own and gives what the driver answered and the device found.
fn run(case: &Case, fault: bool) -> (CUresult, String) {
    let defines: &[&str] = if fault { &["FAULT"] } else { &[] };
    let image = compile::compile(&format!("tests/findings/{}.cu", case.name), defines);
    let context = CudaContext::new(0).expect("a context");
    let stream = context.default_stream();
    let module = context.load_module(Ptx::from_binary(image)).expect("the module loads");
    let function = module.load_function(case.name).expect("the kernel");
    let n = 30i32;
    let host: Vec<i32> = (0..n).collect();
    let schedules = if fault { case.schedules } else { SCHEDULES };
    let run = || {
        let x = stream.clone_htod(&host).expect("the input");
        // SAFETY: what is not initialised is the point of a case; the device says who reads it.
        let mut y = unsafe { stream.alloc::<i32>(host.len()) }.expect("the output");
        let freed = if fault && case.input == Input::Freed { x.device_ptr(&stream).0 } else { 0 };
        let pointer = match case.input {
            Input::OnTheHost if fault => host.as_ptr() as u64,
            _ => x.device_ptr(&stream).0,
        };
        let kept = (freed == 0).then_some(x); // otherwise freed here
        let config =
            LaunchConfig { grid_dim: (case.blocks, 1, 1), block_dim: (case.threads, 1, 1), shared_mem_bytes: 0 };
        let mut launch = stream.launch_builder(&function);
        launch.arg(&pointer).arg(&mut y).arg(&n);
        // SAFETY: a faulty case accesses what it must not; the device refuses it.
        let launched = unsafe { launch.launch(config) }.map(|_| ());
        let result = launched.and_then(|()| stream.synchronize());
        drop(kept);
        match result {
            Ok(()) => CUresult::CUDA_SUCCESS,
            Err(DriverError(code)) => code,
        }
    };
    let (result, record) = oblate_softgpu::record(|| oblate_softgpu::schedules(schedules, run));
    // Where the host's memory lies is another matter in each run.
    let address = format!("{:#x}", host.as_ptr() as u64);
    let text: Vec<String> = record.findings.iter().map(|finding| format!("{finding}\n")).collect();
    (result, text.join("\n").replace(&address, "HOST"))
}

#[test]
fn each_finding_has_its_text_and_a_clean_twin() {
    // With one worker, which of two racing accesses comes first is the same in every run.
    for (name, value) in [("SOFTGPU_WATCHDOG", "2000000"), ("SOFTGPU_WORKERS", "1"), ("SOFTGPU_CHECKS", "all")] {
        // SAFETY: no other thread of this process is running yet that could read the environment.
        unsafe { std::env::set_var(name, value) };
    }
    oblate_softgpu::install_as(Choice::Software).expect("the software device");
    let mut wrong = Vec::new();
    for case in CASES {
        let (result, clean) = run(case, false);
        if result != CUresult::CUDA_SUCCESS || !clean.is_empty() {
            wrong.push(format!("{}: the clean twin gave {result:?} and\n{clean}", case.name));
        }
        let (result, text) = run(case, true);
        if result != case.result {
            wrong.push(format!("{}: the driver answered {result:?}, expected {:?}", case.name, case.result));
        }
        let path = source(case.name).with_extension("txt");
        if std::env::var_os("SOFTGPU_BLESS").is_some() {
            std::fs::write(&path, &text).expect("the text is written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if text.is_empty() || text != expected {
            wrong.push(format!("{}: found\n{text}expected\n{expected}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_program_of_the_folder_is_a_case() {
    let folder = source("x");
    for entry in std::fs::read_dir(folder.parent().expect("a folder")).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "cu") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            assert!(CASES.iter().any(|case| case.name == name), "{name}.cu is not run");
        }
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/findings").join(name).with_extension("cu")
}
