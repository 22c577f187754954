//! Links the jumps that stand for libcuda: a shared object per name under which programs look for it, each a table and a
//! jump through it for every function that the device exports. `install` loads them and fills the tables.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

include!("src/driver/exports.rs");

macro_rules! names {
    ($($name:ident),* $(,)?) => { &[$(stringify!($name)),*] };
}
const NAMES: &[&str] = exports!(names);

/// What a dlopen of each asks for; cudarc tries the first, the linker wrote the second into C programs.
const SONAMES: [&str; 2] = ["libcuda.so", "libcuda.so.1"];

fn main() {
    println!("cargo::rerun-if-changed=src/driver/exports.rs");
    println!("cargo::rerun-if-changed=src/install/jumps.S");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut jumps = String::new();
    for (i, name) in NAMES.iter().enumerate() {
        writeln!(jumps, "JUMP({i}, {name})").expect("a string has room");
    }
    writeln!(jumps, "TABLE({})", NAMES.len()).expect("a string has room");
    let include = out.join("jumps.inc");
    fs::write(&include, jumps).expect("OUT_DIR is writable");
    for soname in SONAMES {
        link(soname, &out);
    }
}

fn link(soname: &str, out: &Path) {
    let compiler = cc::Build::new().get_compiler();
    let mut command: Command = compiler.to_command();
    command.args(["-shared", "-nostdlib", "-fPIC", "-I"]).arg(out);
    command.arg(format!("-Wl,-soname,{soname},-z,noexecstack,--hash-style=gnu")).arg("src/install/jumps.S").arg("-o");
    command.arg(out.join(soname));
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!(
            "the C compiler cannot link {soname}: {command:?} ended with {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("no C compiler: {command:?} did not start: {error}; install gcc or clang, or set CC"),
    }
}
