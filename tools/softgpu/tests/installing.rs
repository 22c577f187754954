//! Which device a process gets. A process decides once, so each case is one: this test, started again.

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

fn symbol(library: &str, name: &str) -> *mut c_void {
    let (library, name) = (CString::new(library).unwrap(), CString::new(name).unwrap());
    // SAFETY: strings; the library is the device's jumps, or a driver.
    unsafe {
        let library = libc::dlopen(library.as_ptr(), libc::RTLD_LAZY);
        if library.is_null() { std::ptr::null_mut() } else { libc::dlsym(library, name.as_ptr()) }
    }
}

/// One case: installs, and says what came of it and which functions are found behind each name of the library.
#[test]
#[ignore = "started by the other test, in a process and an environment of its own"]
fn child() {
    match oblate_softgpu::install() {
        Ok(running) => {
            println!("> {running}");
            assert_eq!(oblate_softgpu::install(), Ok(running), "a second call");
            for library in ["libcuda.so", "libcuda.so.1"] {
                let found = ["cuInit", "cuMemAlloc_v2", "cuLaunchKernel", "fake"]
                    .map(|name| if symbol(library, name).is_null() { format!("no {name}") } else { name.to_owned() });
                println!("> {library}: {}", found.join(", "));
            }
        }
        Err(error) => println!("> {error}"),
    }
}

/// The lines of [`child`] in an environment.
fn install(environment: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().expect("the test has a path"));
    command.args(["--exact", "child", "--ignored", "--nocapture"]);
    for name in ["OBLATE_DEVICE", "SOFTGPU_CC", "SOFTGPU_HIDE", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().expect("the test starts");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{environment:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    // The harness puts a test's first line behind its name.
    text.lines().filter_map(|line| Some(line.split_once("> ")?.1.to_owned())).collect()
}

/// A driver, as far as the look for a GPU goes, in a folder of its own.
fn driver(name: &str, init_result: u32) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let source = folder.join("driver.c");
    let text = format!(
        "int fake;
         unsigned cuInit(unsigned flags) {{ (void)flags; return {init_result}; }}
         unsigned cuDeviceGetCount(int* count) {{ *count = 2; return 0; }}
         unsigned cuDriverGetVersion(int* version) {{ *version = 12080; return 0; }}
         unsigned cuDeviceGetName(char* name, int length, int device) {{
           (void)device;
           if (length < 5) return 1;
           name[0] = 'C'; name[1] = 'a'; name[2] = 'r'; name[3] = 'd'; name[4] = 0;
           return 0;
         }}"
    );
    std::fs::write(&source, text).expect("the source is written");
    let mut compile = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compile.args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o"]).arg(folder.join("libcuda.so.1")).arg(source);
    assert!(compile.status().expect("the C compiler starts").success());
    folder
}

#[test]
fn the_environment_and_the_machine_decide() {
    let ours = |name: &str| {
        vec![
            format!("software: oblate software device ({name})"),
            "libcuda.so: cuInit, cuMemAlloc_v2, cuLaunchKernel, no fake".to_owned(),
            "libcuda.so.1: cuInit, cuMemAlloc_v2, cuLaunchKernel, no fake".to_owned(),
        ]
    };
    assert_eq!(install(&[("OBLATE_DEVICE", "software")]), ours("sm_80"));
    assert_eq!(install(&[("OBLATE_DEVICE", "software"), ("SOFTGPU_CC", "9.0")]), ours("sm_90"));

    // A driver with devices is preferred, unless the software device is the choice; one that does not start is none.
    let with_devices = driver("driver", 0);
    let with_devices = with_devices.to_str().unwrap();
    let gpu = install(&[("LD_LIBRARY_PATH", with_devices)]);
    assert_eq!(gpu[0], "gpu: Card and 1 more, driver for CUDA 12.8");
    assert_eq!(gpu[2], "libcuda.so.1: cuInit, no cuMemAlloc_v2, no cuLaunchKernel, fake");
    let gpu = install(&[("LD_LIBRARY_PATH", with_devices), ("OBLATE_DEVICE", "gpu")]);
    assert_eq!(gpu[0], "gpu: Card and 1 more, driver for CUDA 12.8");
    assert_eq!(install(&[("LD_LIBRARY_PATH", with_devices), ("OBLATE_DEVICE", "software")]), ours("sm_80"));
    let without = driver("driver_without_device", 100);
    let without = without.to_str().unwrap();
    assert_eq!(install(&[("LD_LIBRARY_PATH", without), ("OBLATE_DEVICE", "auto")]), ours("sm_80"));
    let none = install(&[("LD_LIBRARY_PATH", without), ("OBLATE_DEVICE", "gpu")]);
    let begin = "a GPU is asked for, and there is none: cuInit of the installed driver gives CUDA_ERROR_NO_DEVICE: ";
    assert!(none.len() == 1 && none[0].starts_with(begin), "{none:?}");
}

#[test]
fn what_does_not_make_sense_is_said_in_a_line() {
    for (name, value, expected) in [
        ("OBLATE_DEVICE", "gpuu", r#"OBLATE_DEVICE is "gpuu", expected auto, gpu or software"#),
        ("SOFTGPU_CC", "7.5", r#"SOFTGPU_CC is "7.5", expected 8.0, 8.6, 8.9 or 9.0"#),
        ("SOFTGPU_HIDE", "cuFoo", r#"SOFTGPU_HIDE names "cuFoo", which the software device does not export"#),
    ] {
        let device = if name == "OBLATE_DEVICE" { value } else { "software" };
        assert_eq!(install(&[(name, value), ("OBLATE_DEVICE", device)]), [expected]);
    }
}

#[test]
fn functions_can_be_hidden() {
    let hidden = install(&[("OBLATE_DEVICE", "software"), ("SOFTGPU_HIDE", "cuMemAlloc_v2, cuCtxGetId")]);
    assert_eq!(hidden[1], "libcuda.so: cuInit, no cuMemAlloc_v2, cuLaunchKernel, no fake");
    assert_eq!(hidden[2], "libcuda.so.1: cuInit, no cuMemAlloc_v2, cuLaunchKernel, no fake");
}
