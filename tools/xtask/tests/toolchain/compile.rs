//! What is compiled, when again, and what is said of a kernel that does not compile.

use crate::find::find;
use crate::nvcc::{self, Architectures, Compiler, Error};
use crate::support::{Folder, nvcc_script};
use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn malformed_architectures() {
    for (list, entry) in [
        ("sm80", "sm80"),
        ("sm_80,", ""),
        ("sm_80,,sm_90a", ""),
        ("sm_80;compute_80", "sm_80;compute_80"),
        ("sm_80, 90", "90"),
        ("sm_90b", "sm_90b"),
        ("compute_8.0", "compute_8.0"),
        ("sm_1234", "sm_1234"),
        ("native", "native"),
    ] {
        assert_eq!(
            Architectures::parse(Some(list)).unwrap_err().to_string(),
            format!(
                "OBLATE_CUDA_ARCHS is \"{list}\", and \"{entry}\" in it is no architecture. Expected a comma-separated list \
                 of sm_NN (a cubin) and compute_NN (PTX), NN with a or f after it where that is meant; the default is \
                 sm_80,sm_86,sm_89,sm_90a,sm_100,sm_120,compute_80."
            )
        );
    }
}

#[test]
fn an_architecture_that_nvcc_does_not_know() {
    let program = Program::new();
    let Error::UnknownArchitecture { .. } = &program.fatbins("sm_80,sm_75").unwrap_err()[0] else { panic!() };
    assert_eq!(
        program.fatbins("sm_80,sm_987a").unwrap_err()[0].to_string(),
        format!(
            "OBLATE_CUDA_ARCHS asks for sm_987a, which {} (release 13.0) does not know; it knows 80, 90, 120. Leave it out of \
             OBLATE_CUDA_ARCHS, or set NVCC to an nvcc that knows it.",
            program.compiler.nvcc.path.display()
        )
    );
}

/// A root with two sources that share a header, and a script for nvcc that logs its calls.
struct Program {
    folder: Folder,
    compiler: Compiler,
}

impl Program {
    fn new() -> Self {
        let folder = Folder::new();
        let root = folder.path();
        fs::create_dir_all(root.join("cuda/family")).unwrap();
        fs::write(root.join("cuda/family/shared.cuh"), "one").unwrap();
        fs::write(root.join("cuda/family/first.cu"), "#include \"cuda/family/shared.cuh\"\n").unwrap();
        fs::write(root.join("cuda/family/second.cu"), "alone").unwrap();
        nvcc_script(&root.join("bin"), "13.0");
        let compiler = Compiler {
            nvcc: find(&[("NVCC", &root.join("bin/nvcc"))], None).unwrap(),
            host: None,
            root: root.into(),
            cache: root.join("cache"),
            warnings_are_errors: false,
            defines: Vec::new(),
            progress: |_| (),
        };
        Self { folder, compiler }
    }

    fn fatbins(&self, list: &str) -> Result<Vec<nvcc::Fatbin>, Vec<Error>> {
        let sources = nvcc::sources(self.folder.path()).unwrap();
        self.compiler.fatbins(&sources, &Architectures::parse(Some(list)).unwrap(), 2)
    }

    /// What a build for these architectures runs, in order of name.
    fn runs(&self, list: &str) -> Vec<String> {
        let log = self.folder.path().join("bin/log");
        let _ = fs::remove_file(&log);
        self.fatbins(list).unwrap();
        let mut runs: Vec<_> = fs::read_to_string(log).unwrap_or_default().lines().map(String::from).collect();
        runs.sort();
        runs
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("cuda/family").join(name), text).unwrap();
    }
}

#[test]
fn only_what_changed_is_compiled() {
    let program = Program::new();
    let of_first = ["fatbinary first", "ptx compute_80 first", "sm_80 first"];
    let of_second = ["fatbinary second", "ptx compute_80 second", "sm_80 second"];
    let mut both: Vec<_> = of_first.iter().chain(&of_second).copied().collect();
    both.sort_unstable();
    assert_eq!(program.runs("sm_80,compute_80"), both);
    assert!(program.runs("sm_80,compute_80").is_empty(), "nothing changed");
    program.write("second.cu", "changed");
    assert_eq!(program.runs("sm_80,compute_80"), of_second);
    program.write("shared.cuh", "two");
    assert_eq!(program.runs("sm_80,compute_80"), of_first, "the header's includer alone");
    program.write("shared.cuh", "one");
    assert!(program.runs("sm_80,compute_80").is_empty(), "contents count, not times: the old result is still there");
    let added = ["fatbinary first", "fatbinary second", "ptx compute_90a first", "ptx compute_90a second"];
    let added: Vec<_> = added.into_iter().chain(["sm_90a first", "sm_90a second"]).collect();
    assert_eq!(program.runs("sm_80,sm_90a,compute_80"), added, "an architecture more: the others stay");
}

#[test]
fn a_fatbin_names_what_it_was_made_of() {
    let program = Program::new();
    let root = program.folder.path();
    let fatbins = program.fatbins("sm_80").unwrap();
    let [first, second] = &fatbins[..] else { panic!("two sources") };
    assert_eq!(
        (&*first.source, &*second.source),
        (Path::new("cuda/family/first.cu"), Path::new("cuda/family/second.cu"))
    );
    let dependencies: Vec<_> = first.dependencies.iter().map(|path| path.strip_prefix(root).unwrap()).collect();
    assert_eq!(dependencies, [Path::new("cuda/family/first.cu"), Path::new("cuda/family/shared.cuh")]);
}

#[test]
fn the_report_of_ptxas_is_data() {
    let program = Program::new();
    let fatbins = program.fatbins("sm_90a").unwrap();
    let [first, second] = &fatbins[0].resources[..] else { panic!("the script reports two kernels") };
    assert_eq!((&*first.kernel, &*second.kernel), ("plain", "spilling"));
    assert_eq!(first.architecture.to_string(), "sm_90a");
    let numbers =
        |r: &nvcc::Resources| [r.registers, r.stack_bytes, r.spill_store_bytes, r.spill_load_bytes, r.shared_bytes];
    assert_eq!((numbers(first), numbers(second)), ([32, 0, 0, 0, 0], [40, 24, 12, 20, 1024]));
}

/// The nvcc that this machine has, on a root with one source.
fn compile(source: &str, change: impl FnOnce(&mut Compiler)) -> (Folder, Result<Vec<nvcc::Fatbin>, Vec<Error>>) {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join("cuda/family")).unwrap();
    fs::write(folder.path().join("cuda/family/kernel.cu"), source).unwrap();
    let mut compiler = Compiler {
        nvcc: nvcc::find(Some(workspace())).unwrap(),
        host: None,
        root: folder.path().into(),
        cache: folder.path().join("cache"),
        warnings_are_errors: true,
        defines: Vec::new(),
        progress: |_| (),
    };
    change(&mut compiler);
    let architectures = Architectures::parse(Some("sm_80,compute_80")).unwrap();
    let fatbins = compiler.fatbins(&["cuda/family/kernel.cu".into()], &architectures, 1);
    (folder, fatbins)
}

fn message((_, made): (Folder, Result<Vec<nvcc::Fatbin>, Vec<Error>>)) -> String {
    let errors = made.unwrap_err();
    assert_eq!(errors.len(), 1, "one source, one message");
    errors[0].to_string()
}

#[test]
fn a_kernel_that_does_not_compile() {
    let source = "extern \"C\" __global__ void k(float* x) {\n  *x = missing;\n  *x = absent;\n}\n";
    assert_eq!(
        message(compile(source, |_| ())),
        "cuda/family/kernel.cu does not compile for compute_80. nvcc says:
cuda/family/kernel.cu(2): error: identifier \"missing\" is undefined
    *x = missing;
         ^

cuda/family/kernel.cu(3): error: identifier \"absent\" is undefined
    *x = absent;
         ^

2 errors detected in the compilation of \"cuda/family/kernel.cu\"."
    );
}

#[test]
fn each_source_that_does_not_compile_is_told_once() {
    let program = Program::new();
    program.write("first.cu", "fault");
    program.write("third.cu", "fault");
    let errors = program.fatbins("sm_80,sm_90a,sm_120").unwrap_err();
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let expected = |name| format!("cuda/family/{name}.cu does not compile for compute_80. nvcc says:\nfault");
    assert_eq!(told, [expected("first"), expected("third")]);
}

#[test]
fn warnings_are_errors_where_they_shall_be() {
    let source = "extern \"C\" __global__ void k(float* x) {\n  int unused;\n  *x = 1;\n}\n";
    let text = message(compile(source, |_| ()));
    assert!(text.contains("cuda/family/kernel.cu(2): error #177-D: variable \"unused\" was declared"), "{text}");
    compile(source, |compiler| compiler.warnings_are_errors = false).1.unwrap();
}

#[test]
fn a_spill_is_an_error_where_warnings_are() {
    // 96 values that are alive at once, in 32 registers.
    let source = "extern \"C\" __global__ void __launch_bounds__(1024, 2) k(float* x) {
  float v[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) v[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 96; ++i) x[i * 1024 + threadIdx.x] = v[95 - i] * v[(i * 7) % 96];
}
";
    let text = message(compile(source, |_| ()));
    let said = "cuda/family/kernel.cu does not compile for sm_80. nvcc says:
ptxas error   : Registers are spilled to local memory in function 'k', ";
    assert!(text.starts_with(said) && text.lines().count() == 2, "{text}");
    let (_folder, made) = compile(source, |compiler| compiler.warnings_are_errors = false);
    let made = made.unwrap();
    assert!(made[0].resources[0].spill_store_bytes > 0, "{:?}", made[0].resources);
}

#[test]
fn no_folder_of_this_machine_is_in_a_fatbin() {
    let source = "#include <cuda_fp16.h>\nextern \"C\" __global__ void k(float* x, __half* h) { *x = __half2float(__hadd(*h, *h)); }\n";
    let mut root = PathBuf::new();
    let (_folder, made) = compile(source, |compiler| root.clone_from(&compiler.root));
    let made = made.unwrap();
    let ptx = fs::read_dir(root.join("cache/cuda/family/kernel")).unwrap().map(|entry| entry.unwrap().path());
    let ptx = ptx.filter(|path| path.extension().is_some_and(|e| e == "ptx")).collect::<Vec<_>>();
    let text = fs::read_to_string(&ptx[0]).unwrap();
    let files: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with(".file")).collect();
    assert!(files[0].ends_with("\"cuda/family/kernel.cu\""), "{files:?}");
    assert!(files[1].ends_with("\"toolkit/include/cuda_fp16.hpp\""), "{files:?}");
    let image = fs::read(&made[0].path).unwrap();
    let root = root.to_string_lossy();
    assert!(!image.windows(root.len()).any(|bytes| bytes == root.as_bytes()));
}

#[test]
fn a_host_compiler_that_is_not_there() {
    let source = "extern \"C\" __global__ void k(float* x) { *x = 1; }\n";
    let text = message(compile(source, |compiler| compiler.host = Some("/nowhere/c++".into())));
    let expected = "nvcc preprocesses with the host's C++ compiler, and `/nowhere/c++` does not run. Install one (g++ or \
                    clang++), or set CXX to it. nvcc says:\n";
    assert!(text.starts_with(expected), "{text}");
}
