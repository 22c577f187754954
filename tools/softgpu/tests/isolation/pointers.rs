//! Wild pointers, through every kind of access and over the whole address space: each is a finding that ends the launch,
//! and the host's memory is as it was.

use cudarc::driver::sys::{self, CUresult};
use oblate_softgpu::inspect::finding::FindingKind;
use oblate_softgpu::{Record, Settings, record};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::raw::{self, Context, block};
use crate::{kernel, module};

/// Accesses at `%rd1`, by one thread.
const ACCESSES: [(&str, &str); 26] = [
    ("load", "ld.global.u8 %r1, [%rd1];"),
    ("load", "ld.global.u32 %r1, [%rd1];"),
    ("load of a vector", "ld.global.nc.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];"),
    ("generic load", "ld.u64 %rd2, [%rd1];"),
    ("generic load of a vector", "ld.v2.u64 {%rd2, %rd3}, [%rd1];"),
    ("polling load", "ld.volatile.global.u32 %r1, [%rd1];"),
    ("acquiring load", "ld.acquire.gpu.u64 %rd2, [%rd1];"),
    ("load of shared memory", "ld.shared.u32 %r1, [%rd1];"),
    ("load of local memory", "ld.local.u32 %r1, [%rd1];"),
    ("load of constant memory", "ld.const.u32 %r1, [%rd1];"),
    ("load of a parameter", "ld.param.u32 %r1, [%rd1+8];"),
    ("store", "st.global.u8 [%rd1], %r1;"),
    ("store of a vector", "st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4};"),
    ("generic store", "st.u64 [%rd1], %rd1;"),
    ("volatile store", "st.volatile.global.u32 [%rd1], %r1;"),
    ("releasing store", "st.release.gpu.u64 [%rd1], %rd1;"),
    ("store to shared memory", "st.shared.v2.u32 [%rd1], {%r1, %r2};"),
    ("store to local memory", "st.local.u64 [%rd1], %rd1;"),
    ("atomic", "atom.global.add.u32 %r1, [%rd1], 1;"),
    ("atomic of shared memory", "atom.shared.exch.b64 %rd2, [%rd1], %rd1;"),
    ("generic atomic", "atom.cas.b16 %h1, [%rd1], %h2, %h3;"),
    ("reduction", "red.global.add.f64 [%rd1], 0d3FF0000000000000;"),
    ("copy from", "cp.async.ca.shared.global [tile], [%rd1], 4;\ncp.async.wait_all;"),
    ("copy from, in part", "mov.u32 %r1, 7;\ncp.async.cg.shared.global [tile], [%rd1], 16, %r1;\ncp.async.wait_all;"),
    ("copy to", "mov.u64 %rd2, zeros;\ncp.async.ca.shared.global [%rd1+64], [%rd2], 8;\ncp.async.wait_all;"),
    ("mbarrier", "mbarrier.init.shared.b64 [%rd1+64], 1;"),
];

/// Accesses at and behind `%rd1`, by a whole warp: all lanes at one place, or one behind the other (`%rd2`).
const ACCESSES_OF_A_WARP: [(&str, &str); 8] = [
    ("load of one word", "ld.global.u32 %r1, [%rd1];"),
    ("load of a line", "ld.global.u32 %r1, [%rd2];"),
    ("store of one word", "st.global.u32 [%rd1], %r1;"),
    ("store of a line", "st.global.u32 [%rd2], %r1;"),
    ("generic load of a line", "ld.u32 %r1, [%rd2];"),
    ("matrices", "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, %r3, %r4}, [%rd1+64];"),
    (
        "load of a fragment",
        "wmma.load.c.sync.aligned.row.m16n16k16.f32 {%r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8}, [%rd1], %r9;",
    ),
    (
        "store of a fragment",
        "mov.u32 %r9, -1;\nwmma.store.d.sync.aligned.row.m16n16k16.global.f32 [%rd1], \
         {%r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8}, %r9;",
    ),
];

/// A kernel with shared memory of 64 bytes, and none that is local.
fn accessing(access: &str) -> std::ffi::CString {
    let text = kernel(&format!(
        ".shared .align 16 .b8 tile[64];\nmov.u32 %r30, %laneid;\nmul.wide.u32 %rd2, %r30, 4;\nadd.s64 %rd2, %rd2, %rd1;\n\
         mov.u32 %r1, tile;\n{access}"
    ));
    let (head, body) = text.to_str().expect("a text").split_once(".visible").expect("a kernel");
    std::ffi::CString::new(format!("{head}.global .align 16 .b32 zeros[4];\n.visible{body}")).expect("a text")
}

/// Bytes of the context's one allocation.
const OWN_BYTES: usize = 4096;
/// Where a kernel's parameters lie for a generic pointer: those of 8 bytes are there.
const PARAMETERS: u64 = 0x6c00_0000_0000;
/// Likewise, its shared memory.
const SHARED: u64 = 0x6e00_0000_0000;

/// Addresses over the whole of 64 bits, at which something turns, or where the host has memory.
fn addresses(others: &[u64]) -> Vec<u64> {
    let mut addresses = Vec::new();
    for bit in 0..64 {
        addresses.extend([-32i64, -16, -8, -4, 0, 4, 8, 16, 32].map(|by| (1u64 << bit).wrapping_add_signed(by)));
    }
    // What a process can map at all, and with it every window that the device makes up.
    for step in 0..128u64 {
        addresses.extend([0, 16, 1 << 20].map(|by| (step << 40) + by));
        addresses.push((step << 40).wrapping_sub(16));
    }
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the process's maps");
    for line in maps.lines() {
        let (first, end) = line.split_once(' ').expect("a line").0.split_once('-').expect("a range");
        let [first, end] = [first, end].map(|text| u64::from_str_radix(text, 16).expect("an address"));
        addresses.extend([first, first + (end - first) / 2 / 16 * 16, end - 16]);
    }
    let mut rng = SmallRng::seed_from_u64(0);
    addresses.extend((0..64).map(|_| rng.random::<u64>() & !15));
    addresses.extend(others);
    addresses
}

/// What of the host's memory is looked at afterwards, in each kind of it.
struct Canaries {
    heap: Vec<u64>,
    pages: Box<[u64]>,
}

static mut OF_THE_PROGRAM: [u64; 64] = [CANARY; 64];
const CANARY: u64 = 0x5afe_c0de_5afe_c0de;

/// Runs an access at an address in a context of its own, which has one allocation and has freed another.
fn try_access(text: &std::ffi::CStr, threads: u32, address: u64) -> (CUresult, Record) {
    let mut settings = Settings::default();
    settings.workers = 1;
    settings.memory_bytes = 1 << 20;
    let _context = Context::new(settings);
    let freed = raw::device_bytes(&[0; 64]);
    raw::device_bytes(&[0; OWN_BYTES]);
    // SAFETY: an allocation of the context.
    unsafe { sys::cuMemFree_v2(freed) }.result().expect("it is freed");
    let module = raw::load_text(text).unwrap_or_else(|error| panic!("{error:?}: {text:?}"));
    record(|| module.kernels()[0].launch(block(threads), &address.to_le_bytes()))
}

/// What must not be: a launch that ends well, or a failure without a finding of it.
fn is_caught(answer: CUresult, record: &Record) -> bool {
    let failed = matches!(answer, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS);
    let found = record.findings.iter().any(|finding| {
        matches!(
            finding.kind,
            FindingKind::OutOfBounds { .. }
                | FindingKind::UseAfterFree { .. }
                | FindingKind::HostPointer { .. }
                | FindingKind::Misaligned { .. }
        )
    });
    failed && found
}

#[test]
fn no_pointer_leads_to_the_hosts_memory() {
    let canaries = Canaries { heap: vec![CANARY; 1024], pages: vec![CANARY; 4096].into() };
    let on_the_stack = std::hint::black_box([CANARY; 64]);
    // Another context's memory, of which the first allocations have addresses that every context has.
    let other = Context::new(Settings::default());
    let others: Vec<u64> = (0..8).map(|_| raw::device_bytes(&vec![7; 1 << 16])).collect();
    let own = others[0]..others[0] + (1 << 20);
    let mut wild = addresses(&others);
    wild.extend([
        canaries.heap.as_ptr() as u64,
        canaries.pages.as_ptr() as u64 + 4096,
        on_the_stack.as_ptr() as u64,
        (&raw const OF_THE_PROGRAM) as u64,
        no_pointer_leads_to_the_hosts_memory as fn() as usize as u64,
        others[0],
        others[0].wrapping_sub(4),
    ]);
    // The context's own, of which the first allocation is freed; and the windows of what each thread has.
    let is_own = |address: &u64| own.contains(address) && *address > others[0] + 64;
    let in_window = |address: u64, first: u64, bytes: u64| (first..first + bytes).contains(&address);
    wild.retain(|address| !is_own(address));
    let mut missed = Vec::new();
    let mut tried = 0;
    let all =
        ACCESSES.iter().map(|access| (access, 1, 1)).chain(ACCESSES_OF_A_WARP.iter().map(|access| (access, 32, 8)));
    for (&(name, access), threads, every) in all {
        let text = accessing(access);
        let generic = !["global", "shared", "local", "const", "param"].iter().any(|space| access.contains(space));
        let in_space = access.contains("shared.") && !access.contains("shared.global") || access.contains("shared [");
        for &address in wild.iter().step_by(every) {
            let lies_in_parameters = generic && in_window(address, PARAMETERS, 8);
            let lies_in_shared = generic && in_window(address, SHARED, 64) || in_space && address < 64;
            // A parameter is read at 8 bytes behind the address, shared memory written at 64.
            let wraps =
                address.wrapping_add(64) < 128 || (name == "load of a parameter" && address.wrapping_add(8) < 8);
            if lies_in_parameters || lies_in_shared || wraps {
                continue;
            }
            let (answer, record) = try_access(&text, threads, address);
            tried += 1;
            if !is_caught(answer, &record) {
                missed.push(format!("{name} at {address:#x}: {answer:?} {:?}", record.findings));
            }
        }
    }
    assert!(missed.is_empty(), "{} of {tried}:\n{}", missed.len(), missed.join("\n"));
    assert!(tried > 20_000, "{tried} accesses");
    let unchanged = |words: &[u64]| words.iter().all(|&word| word == CANARY);
    assert!(unchanged(&canaries.heap) && unchanged(&canaries.pages) && unchanged(&on_the_stack));
    // SAFETY: nothing writes it but what this test looks for.
    assert!(unchanged(&unsafe { OF_THE_PROGRAM }));
    other.enter();
    for address in others {
        assert_eq!(raw::host_bytes(address, 1 << 16), vec![7; 1 << 16]);
    }
}

#[test]
fn no_pointer_leads_to_code() {
    let text = module(
        ".func f()\n{\nret;\n}\n.visible .entry k(.param .u64 p)\n{\n.reg .b64 %rd<3>;\nld.param.u64 %rd1, [p];\n\
         mov.u64 %rd2, f;\nprototype: .callprototype _ ();\ncall %rd1, prototype;\nret;\n}",
    );
    for address in addresses(&[]) {
        // The one function's address ends the window that functions have.
        if address == 0x6f00_0000_0000 {
            continue;
        }
        let (answer, record) = try_access(&text, 1, address);
        assert_eq!(answer, CUresult::CUDA_ERROR_LAUNCH_FAILED, "{address:#x}");
        let text = record.findings[0].to_string();
        assert!(text.contains(&format!("call through {address:#x}, which is no function")), "{text}");
    }
}

#[test]
fn what_is_printed_is_the_kernels_own() {
    let secret = c"a text of the host's";
    let pointer = secret.as_ptr() as u64;
    let text = kernel(
        ".local .align 8 .b8 arguments[16];\n.global .align 1 .b8 format[4] = {37, 115, 10, 0};\n\
         cvta.local.u64 %rd2, arguments;\nst.u64 [%rd2], %rd1;\nmov.u64 %rd3, format;\n{\n.param .b64 a;\n.param .b64 b;\n\
         .param .b32 c;\nst.param.b64 [a], %rd3;\nst.param.b64 [b], %rd2;\ncall.uni (c), vprintf, (a, b);\n}\n\
         { // and with the format there\n.param .b64 a;\n.param .b64 b;\n.param .b32 c;\nst.param.b64 [a], %rd1;\n\
         st.param.b64 [b], %rd1;\ncall.uni (c), vprintf, (a, b);\n}",
    );
    for address in addresses(&[pointer]) {
        if address >> 40 == PARAMETERS >> 40 || address >> 40 == 0x6d || address >> 40 == 0x70 {
            continue;
        }
        let (answer, record) = try_access(&text, 1, address);
        assert_eq!(answer, CUresult::CUDA_SUCCESS, "{address:#x}");
        assert_eq!(record.launches[0].printed, "(null)\n", "{address:#x}");
    }
}
