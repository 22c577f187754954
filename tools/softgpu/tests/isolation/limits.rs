//! What a module or a kernel may ask for: the limits are a card's where it has them, and what is beyond is an error or a
//! finding, not memory of the host's.

use std::ffi::CString;

use cudarc::driver::sys::{self, CUlimit, CUresult};
use oblate_softgpu::{Record, Settings, record};

use crate::raw::{self, Context, block};
use crate::{kernel, module};

/// Megabytes of the process that lie in memory.
fn resident_megabytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("the process's pages");
    let resident: usize = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    resident >> 8 // of 4 KB
}

/// Beyond what the tests beside this one take.
const SMALL: usize = 256;

fn context() -> Context {
    let mut settings = Settings::default();
    settings.workers = 1;
    settings.watchdog = 1_000_000_000;
    Context::new(settings)
}

fn set_limit(limit: CUlimit, value: usize) -> CUresult {
    // SAFETY: no pointer.
    unsafe { sys::cuCtxSetLimit(limit, value) }
}

/// Runs the module's one kernel on one parameter.
fn run(text: &CString, threads: u32, parameter: u64) -> (CUresult, Record) {
    let module = raw::load_text(text).unwrap_or_else(|error| panic!("{error:?}: {text:?}"));
    let kernels = module.kernels();
    record(|| kernels[0].launch(block(threads), &parameter.to_le_bytes()))
}

/// Why a module does not load.
fn refused(text: &CString) -> String {
    match raw::load_text(text) {
        Ok(_) => panic!("it loads: {text:?}"),
        Err((answer, log)) => {
            assert_eq!(answer, CUresult::CUDA_ERROR_INVALID_PTX, "{log}");
            log
        }
    }
}

/// A call of vprintf with a format of these bytes, and `%rd1` as its one argument.
fn printing(format: &str, count: &str) -> CString {
    let bytes: Vec<String> = format.bytes().chain([0]).map(|byte| byte.to_string()).collect();
    kernel(&format!(
        ".global .align 1 .b8 format[] = {{{}}};\n.global .b64 arguments;\nmov.u32 %r1, 0;\n\
         mov.u64 %rd2, arguments;\nst.u64 [%rd2], %rd1;\nmov.u64 %rd3, format;\nagain:\n{{\n.param .b64 a;\n\
         .param .b64 b;\n.param .b32 c;\nst.param.b64 [a], %rd3;\nst.param.b64 [b], %rd2;\ncall.uni (c), vprintf, (a, b);\n}}\n\
         add.u32 %r1, %r1, 1;\nsetp.lt.u32 %p1, %r1, {count};\n@%p1 bra again;",
        bytes.join(", ")
    ))
}

#[test]
fn of_a_flood_of_text_the_last_stays() {
    let _own = context();
    let before = resident_megabytes();
    // 4 KB of each of 32 lanes, 2000 times: 256 MB.
    let (answer, record) = run(&printing("%4095d\n", "2000"), 32, 7);
    assert_eq!((answer, &record.findings[..]), (CUresult::CUDA_SUCCESS, &[][..]));
    let printed = &record.launches[0].printed;
    assert_eq!(printed.len(), 1 << 20, "the default of CU_LIMIT_PRINTF_FIFO_SIZE");
    assert!(printed.ends_with("      7\n") && printed.matches('7').count() == 256);
    assert!(resident_megabytes() < before + SMALL);

    assert_eq!(set_limit(CUlimit::CU_LIMIT_PRINTF_FIFO_SIZE, 10), CUresult::CUDA_SUCCESS);
    let (_, record) = run(&printing("line %d\n", "9"), 1, 5);
    assert_eq!(record.launches[0].printed, " 5\nline 5\n");
}

#[test]
fn text_without_an_end_is_a_timeout() {
    let mut settings = Settings::default();
    settings.watchdog = 10_000_000;
    let _own = Context::new(settings);
    let (answer, record) = run(&printing("%4095d\n", "-1"), 32, 7);
    assert_eq!(answer, CUresult::CUDA_ERROR_LAUNCH_TIMEOUT);
    assert!(record.launches[0].printed.len() <= 1 << 20);
}

#[test]
fn more_and_fewer_arguments_than_the_format_has() {
    let _own = context();
    // The buffer has 8 bytes, which the format does not use up, just uses, or would read beyond.
    for (format, printed) in [
        ("none\n", "none\n"),
        ("%d\n", "5\n"),
        ("%d %d\n", "5 0\n"),
        ("%d %d %d\n", "5 0 (no argument)\n"),
        ("%lld %lld\n", "5 (no argument)\n"),
        ("%*d %*d\n", "    0 (no argument)\n"),
        ("%s\n", "(null)\n"),
        ("%", "%"),
        ("%9", "%9"),
        ("%-08.3ll", "%-08.3ll"),
    ] {
        let (answer, record) = run(&printing(format, "1"), 1, 5);
        assert_eq!((answer, &record.findings[..]), (CUresult::CUDA_SUCCESS, &[][..]), "{format}");
        assert_eq!(record.launches[0].printed, printed, "{format}");
    }
}

/// f calls itself as often as its parameter says.
fn recursion() -> CString {
    module(
        ".func f(.param .b32 n)\n{\n.reg .pred %p<2>;\n.reg .b32 %r<3>;\nld.param.u32 %r1, [n];\nsetp.eq.u32 %p1, %r1, 0;\n\
         @%p1 bra done;\nsub.u32 %r2, %r1, 1;\n{\n.param .b32 a;\nst.param.b32 [a], %r2;\ncall.uni f, (a);\n}\ndone:\nret;\n}\n\
         .visible .entry k(.param .u64 p)\n{\n.reg .b32 %r<2>;\nld.param.u32 %r1, [p];\n{\n.param .b32 a;\n\
         st.param.b32 [a], %r1;\ncall.uni f, (a);\n}\nret;\n}",
    )
}

/// The same without a byte of local memory: its registers and the way back are all that it takes.
fn bare_recursion() -> CString {
    module(".func f()\n{\ncall.uni f;\nret;\n}\n.visible .entry k(.param .u64 p)\n{\ncall.uni f;\nret;\n}")
}

#[test]
fn recursion_ends_with_the_stack() {
    for text in [recursion(), bare_recursion()] {
        let _own = context();
        let before = resident_megabytes();
        let (answer, record) = run(&text, 1024, u64::MAX);
        assert_eq!(answer, CUresult::CUDA_ERROR_LAUNCH_FAILED);
        let text = record.findings[0].to_string();
        assert!(text.contains("the stack of 65536 bytes overflows"), "{text}");
        assert!(resident_megabytes() < before + SMALL);
    }
}

#[test]
fn a_larger_stack_is_had_by_the_limit() {
    let own = context();
    assert_eq!(run(&recursion(), 32, 500).0, CUresult::CUDA_SUCCESS);
    assert_eq!(run(&recursion(), 32, 4000).0, CUresult::CUDA_ERROR_LAUNCH_FAILED);
    drop(own);
    let _own = context();
    assert_eq!(set_limit(CUlimit::CU_LIMIT_STACK_SIZE, 512 << 10), CUresult::CUDA_SUCCESS);
    let (answer, record) = run(&recursion(), 32, 4000);
    assert_eq!((answer, &record.findings[..]), (CUresult::CUDA_SUCCESS, &[][..]));
    // As on a card, a thread has 512 KB, and what is set aside must be there.
    assert_eq!(set_limit(CUlimit::CU_LIMIT_STACK_SIZE, (512 << 10) + 1), CUresult::CUDA_ERROR_INVALID_VALUE);
    assert_eq!(set_limit(CUlimit::CU_LIMIT_PRINTF_FIFO_SIZE, 1 << 60), CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    assert_eq!(set_limit(CUlimit::CU_LIMIT_MALLOC_HEAP_SIZE, 1 << 60), CUresult::CUDA_ERROR_OUT_OF_MEMORY);
}

#[test]
fn a_thread_has_512_kilobytes_of_local_memory() {
    let _own = context();
    let words = raw::device_bytes(&[0; 256]);
    for bytes in [4, 65_532, 65_536, 65_540, 131_072, 524_288] {
        let text = kernel(&format!(
            ".local .align 4 .b8 frame[{bytes}];\nmov.u32 %r1, %tid.x;\nst.local.u32 [frame+{last}], %r1;\n\
             st.local.u8 [frame], 1;\nmul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd1, %rd1, %rd2;\n\
             ld.local.u32 %r2, [frame+{last}];\nst.global.u32 [%rd1], %r2;",
            last = bytes - 4
        ));
        let (answer, record) = run(&text, 64, words);
        assert_eq!((answer, &record.findings[..]), (CUresult::CUDA_SUCCESS, &[][..]), "{bytes}");
        // The first byte of a frame of one word is in its last word.
        let expected: Vec<u8> =
            (0..64u32).flat_map(|i| if bytes == 4 { (i & !255) | 1 } else { i }.to_le_bytes()).collect();
        assert_eq!(raw::host_bytes(words, 256), expected, "{bytes}");
    }
    let log = refused(&kernel(".local .align 4 .b8 frame[524289];\nst.local.u8 [frame], 1;"));
    assert!(log.contains("parameters or local variables beyond 512 KiB"), "{log}");
    // A frame and what it calls have it together.
    let text = module(
        ".func f()\n{\n.local .align 4 .b8 frame[300000];\nst.local.u8 [frame], 1;\nret;\n}\n\
         .visible .entry k(.param .u64 p)\n{\n.local .align 4 .b8 frame[300000];\nst.local.u8 [frame], 1;\ncall.uni f;\nret;\n}",
    );
    assert_eq!(set_limit(CUlimit::CU_LIMIT_STACK_SIZE, 512 << 10), CUresult::CUDA_SUCCESS);
    let (answer, record) = run(&text, 1, 0);
    assert_eq!(answer, CUresult::CUDA_ERROR_LAUNCH_FAILED);
    let text = record.findings[0].to_string();
    assert!(text.contains("the thread's local memory of 524288 bytes overflows: 0 calls deep, f needs 300"), "{text}");
}

#[test]
fn zeros_cost_nothing() {
    let _own = context();
    let before = resident_megabytes();
    let text = CString::new(
        kernel(
            "mov.u64 %rd2, zeros;\nadd.s64 %rd2, %rd2, 6442450944;\nld.global.u8 %r1, [%rd2];\n\
             ld.global.u8 %r2, [sparse+536870912];\nadd.u32 %r1, %r1, %r2;\nst.global.u32 [%rd1], %r1;",
        )
        .to_str()
        .expect("a text")
        .replacen(
            ".visible",
            ".global .align 8 .b8 zeros[8589934592];\n.global .b8 sparse[2][536870912] = {{}, {9}};\n.visible",
            1,
        ),
    )
    .expect("a text has no NUL");
    let word = raw::device_bytes(&[1; 4]);
    let (answer, record) = run(&text, 1, word);
    assert_eq!((answer, &record.findings[..]), (CUresult::CUDA_SUCCESS, &[][..]), "zeros are as good as written");
    assert_eq!(raw::host_bytes(word, 4), [9, 0, 0, 0]);
    assert!(resident_megabytes() < before + SMALL);
    let too_large = module(".global .b8 zeros[281474976710656];");
    assert_eq!(raw::load_text(&too_large).err().expect("no card has it").0, CUresult::CUDA_ERROR_OUT_OF_MEMORY);
}

#[test]
fn a_function_is_called_with_its_own_parameters() {
    let text = |prototype: &str, arguments: &str| {
        module(&format!(
            ".func f(.param .b32 n)\n{{\nret;\n}}\n.visible .entry k(.param .u64 p)\n{{\n.reg .b64 %rd<2>;\n\
             .param .align 16 .b8 large[4096];\n.param .b32 small;\nst.param.b32 [small], 1;\nst.param.b32 [large], 1;\n\
             mov.u64 %rd1, f;\nprototype: .callprototype _ {prototype};\ncall %rd1, {arguments}prototype;\nret;\n}}"
        ))
    };
    let _own = context();
    assert_eq!(run(&text("(.param .b32 _)", "(small), "), 1, 0).0, CUresult::CUDA_SUCCESS);
    for wrong in [text("(.param .align 16 .b8 _[4096])", "(large), "), text("()", "")] {
        let _own = context();
        let (answer, record) = run(&wrong, 1, 0);
        assert_eq!(answer, CUresult::CUDA_ERROR_LAUNCH_FAILED);
        let text = record.findings[0].to_string();
        assert!(text.contains("call of f through a pointer, with other parameters than it has"), "{text}");
    }
}

#[test]
fn copies_in_flight_have_an_end() {
    let _own = context();
    let words = raw::device_bytes(&[0; 256]);
    let (answer, record) = run(
        &kernel(
            ".shared .align 16 .b8 tile[128];\nmov.u32 %r1, %tid.x;\nshl.b32 %r1, %r1, 2;\ncvt.u64.u32 %rd2, %r1;\n\
             add.s64 %rd1, %rd1, %rd2;\nmov.u32 %r2, tile;\nadd.u32 %r1, %r1, %r2;\n\
             again:\ncp.async.ca.shared.global [%r1], [%rd1], 4;\ncp.async.commit_group;\nbra again;",
        ),
        32,
        words,
    );
    assert_eq!(answer, CUresult::CUDA_ERROR_LAUNCH_FAILED);
    let text = record.findings[0].to_string();
    assert!(text.contains("more than 65536 asynchronous copies of a warp are in flight"), "{text}");
}

#[test]
fn an_mbarrier_that_is_written_over_is_misused() {
    let _own = context();
    // A valid object that waits for one arrival in this phase, and for none in the next.
    let (answer, record) = run(
        &kernel(
            ".shared .align 8 .b64 barrier;\nmov.u64 %rd2, 0x8000000000000001;\nst.shared.u64 [barrier], %rd2;\n\
             mbarrier.arrive_drop.shared.b64 %rd3, [barrier];",
        ),
        1,
        0,
    );
    assert_eq!(answer, CUresult::CUDA_ERROR_LAUNCH_FAILED);
    let text = record.findings[0].to_string();
    assert!(text.contains("1 arrivals at an mbarrier that waits for 1"), "{text}");
}

#[test]
fn what_is_too_much_of_a_text_is_said() {
    let _own = context();
    let heads: Vec<String> = (0..300).map(|i| format!("l{i}:\nadd.u32 %r1, %r1, 1;\n@%p1 bra end;")).collect();
    let latches: Vec<String> = (0..300).rev().map(|i| format!("@%p1 bra l{i};")).collect();
    let nested = format!("setp.eq.u64 %p1, %rd1, 0;\n{}\n{}\nend:", heads.join("\n"), latches.join("\n"));
    for (text, expected) in [
        (kernel(&nested), "k has more than 256 loops inside each other"),
        (
            module(&format!(".global .b8 x{} = {}1{};", "[1]".repeat(33), "{".repeat(33), "}".repeat(33))),
            "x has more than 32 dimensions",
        ),
        (module(".global .b8 x[][0] = {{1}};"), "1 values for the 0 elements of x"),
        (kernel("prototype: .callprototype _ x: (.param .b32 _);"), "k has a label in no place"),
        (kernel(&"{".repeat(80)), "more than 64 scopes inside each other"),
    ] {
        let log = refused(&text);
        assert!(log.contains(expected), "{log}, expected {expected}");
    }
}

#[test]
fn a_register_of_a_high_number_is_one_register() {
    let _own = context();
    let before = resident_megabytes();
    let ranges: Vec<String> =
        (0..4000).map(|i| format!(".reg .b32 %a{i}_<4294967295>;\nmov.u32 %a{i}_4294967294, 1;")).collect();
    assert_eq!(run(&kernel(&ranges.join("\n")), 1, 0).0, CUresult::CUDA_SUCCESS);
    assert!(resident_megabytes() < before + SMALL);
}
