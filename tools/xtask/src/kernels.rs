//! Every kernel for every architecture, and what ptxas reports of each.

use crate::nvcc::{self, Architectures, Compiler, Fatbin};
use crate::process::Failure;
use crate::toolkit;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, thread};

/// Compiles the kernels, prints a table of their registers and shared memory, and fails on a spill.
pub(crate) fn compile(root: &Path, architectures: Option<&str>) -> Result<(), Failure> {
    let architectures = Architectures::parse(architectures)?;
    let compiler = Compiler {
        nvcc: toolkit::nvcc(root)?,
        host: host_compiler(),
        root: root.into(),
        cache: nvcc::cache_folder(&env::current_exe()?),
        warnings_are_errors: true,
        defines: Vec::new(),
        progress: |line| eprintln!("xtask: {line}"),
    };
    let (clock, sources) = (Instant::now(), nvcc::sources(root)?);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let fatbins = compiler
        .fatbins(&sources, &architectures, workers)
        .map_err(|errors| Failure(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nxtask: ")))?;
    print(&fatbins);
    let spills =
        fatbins.iter().flat_map(|fatbin| &fatbin.resources).filter(|r| r.spill_store_bytes + r.spill_load_bytes > 0);
    let spills: Vec<_> = spills.map(|r| format!("{} on {}", r.kernel, r.architecture)).collect();
    if !spills.is_empty() {
        return Err(Failure(format!("registers spill: {}", spills.join(", "))));
    }
    eprintln!("xtask: {} fatbins in {:.1} s, no spills", fatbins.len(), clock.elapsed().as_secs_f64());
    Ok(())
}

/// The same host compiler that build.rs takes, so that both find each other's results in the cache.
fn host_compiler() -> Option<PathBuf> {
    let system = if cfg!(windows) { "pc-windows-msvc" } else { "unknown-linux-gnu" };
    let target = format!("{}-{system}", env::consts::ARCH);
    let mut build = cc::Build::new();
    build.cpp(true).cargo_metadata(false).opt_level(0).target(&target).host(&target);
    build.try_get_compiler().ok().map(|host| host.path().into())
}

/// A row for each kernel: registers on each architecture, then the most shared memory.
fn print(fatbins: &[Fatbin]) {
    for fatbin in fatbins {
        let architectures: BTreeSet<_> = fatbin.resources.iter().map(|resources| resources.architecture).collect();
        let mut kernels: BTreeMap<&str, BTreeMap<_, _>> = BTreeMap::new();
        for resources in &fatbin.resources {
            kernels.entry(&resources.kernel).or_default().insert(resources.architecture, resources);
        }
        let width = kernels.keys().map(|kernel| kernel.len()).max().unwrap_or(0);
        println!("{}: registers of a thread, static shared bytes of a block", fatbin.source.display());
        let heads = columns(architectures.iter().map(ToString::to_string));
        println!("    {:width$}{heads}  shared", "");
        for (kernel, on) in kernels {
            let registers = columns(on.values().map(|resources| resources.registers.to_string()));
            let shared = on.values().map(|resources| resources.shared_bytes).max().unwrap_or(0);
            println!("    {kernel:width$}{registers}  {shared}");
        }
    }
}

fn columns(cells: impl Iterator<Item = String>) -> String {
    cells.fold(String::new(), |row, cell| format!("{row}{cell:>8}"))
}
