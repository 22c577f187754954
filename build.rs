//! Compiles each `cuda/FAMILY/OPERATION.cu` to a fatbin that `fatbin!("FAMILY/OPERATION")` embeds, and writes what ptxas
//! reports of the kernels as a table that `oblate::fatbin::RESOURCES` is.

#[path = "build/nvcc.rs"]
mod nvcc;

use nvcc::{Architectures, Compiler, Error, Fatbin};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process, thread};

fn main() {
    let root = folder("CARGO_MANIFEST_DIR");
    let out = folder("OUT_DIR");
    for path in ["build.rs", "build", "cuda"] {
        println!("cargo::rerun-if-changed={path}");
    }
    for name in nvcc::ENVIRONMENT {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let built = nvcc::sources(&root).map_err(|error| vec![error]).and_then(|sources| {
        // Documentation needs the images' names alone, and docs.rs has no nvcc.
        if sources.is_empty() || env::var_os("DOCS_RS").is_some() {
            without_nvcc(&out, &sources)
        } else {
            compile(root, &out, &sources)
        }
    });
    if let Err(errors) = built {
        for error in errors {
            eprintln!("oblate: {error}");
        }
        process::exit(1);
    }
}

fn folder(variable: &str) -> PathBuf {
    PathBuf::from(env::var_os(variable).expect("cargo sets the folders of a build script"))
}

/// Compiles the sources, copies their fatbins to OUT_DIR and tells cargo what they were made of.
fn compile(root: PathBuf, out: &Path, sources: &[PathBuf]) -> Result<(), Vec<Error>> {
    let one = |error| vec![error];
    let list = env::var("OBLATE_CUDA_ARCHS").ok().filter(|list| !list.is_empty());
    let architectures = Architectures::parse(list.as_deref()).map_err(one)?;
    // A published package has no xtask, so its message must not send anyone there.
    let workspace = root.join("tools/xtask").is_dir().then_some(root.as_path());
    let compiler = Compiler {
        nvcc: nvcc::find(workspace).map_err(one)?,
        host: cc::Build::new().cpp(true).try_get_compiler().ok().map(|host| host.path().into()),
        cache: nvcc::cache_folder(out),
        warnings_are_errors: env::var("OBLATE_CUDA_WARNINGS").is_ok_and(|value| value == "deny"),
        defines: Vec::new(),
        progress: |_| (),
        root,
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let fatbins = compiler.fatbins(sources, &architectures, workers)?;
    for dependency in fatbins.iter().flat_map(|fatbin| &fatbin.dependencies).collect::<BTreeSet<_>>() {
        println!("cargo::rerun-if-changed={}", dependency.display());
    }
    for fatbin in &fatbins {
        let image = fs::read(&fatbin.path).map_err(|error| vec![Error::file("read", &fatbin.path, &error)])?;
        write(&image_path(out, &fatbin.source), &image).map_err(one)?;
    }
    write(&out.join("resources.rs"), table(&compiler, &fatbins).as_bytes()).map_err(one)
}

/// Empty images and an empty table, so that the crate's Rust compiles.
fn without_nvcc(out: &Path, sources: &[PathBuf]) -> Result<(), Vec<Error>> {
    for source in sources {
        write(&image_path(out, source), &[]).map_err(|error| vec![error])?;
    }
    let table = "(&[] as &[Resources], (0, 0))";
    write(&out.join("resources.rs"), table.as_bytes()).map_err(|error| vec![error])
}

/// Where a source's image lies for `fatbin!`: `OUT_DIR/fatbin/spherical/dense` for `cuda/spherical/dense.cu`.
fn image_path(out: &Path, source: &Path) -> PathBuf {
    out.join("fatbin").join(source.strip_prefix("cuda").unwrap_or(source).with_extension(""))
}

/// The table of resources and the release of nvcc, as a Rust expression.
fn table(compiler: &Compiler, fatbins: &[Fatbin]) -> String {
    let mut rows = String::new();
    for fatbin in fatbins {
        let source = fatbin.source.strip_prefix("cuda").unwrap_or(&fatbin.source).with_extension("");
        let source = source.to_string_lossy().replace('\\', "/");
        for nvcc::Resources {
            kernel,
            architecture,
            registers,
            stack_bytes,
            spill_store_bytes,
            spill_load_bytes,
            shared_bytes,
        } in &fatbin.resources
        {
            let _ = writeln!(
                rows,
                "Resources {{ fatbin: {source:?}, kernel: {kernel:?}, architecture: \"{architecture}\", registers: {registers}, \
                 stack_bytes: {stack_bytes}, spill_store_bytes: {spill_store_bytes}, spill_load_bytes: {spill_load_bytes}, \
                 shared_bytes: {shared_bytes} }},"
            );
        }
    }
    format!("(&[\n{rows}] as &[Resources], {:?})\n", compiler.nvcc.release)
}

/// Writes a file unless it has these contents already.
fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|error| Error::file("make", parent, &error))?;
    fs::write(path, contents).map_err(|error| Error::file("write", path, &error))
}
