//! Folders, programs in them, and xtask run on them.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process};

/// A folder of a test's own, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("toolchain-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a shell script that runs.
    pub(crate) fn program(&self, name: &str, script: &str) {
        program(&self.0.join(name), script);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind is in cargo's own, and does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Another process writes it: a file that this one had open could stay open in a child that a test beside starts
    // meanwhile, and a program that is open for writing does not start.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"cat > "$0" && chmod +x "$0""#]).arg(path);
    let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
}

/// An nvcc and a fatbinary that write what they are asked for and a line to `log` beside them: the step and the source.
pub(crate) fn nvcc_script(folder: &Path, release: &str) {
    let script = r#"case $1 in
  --version) echo "Cuda compilation tools, release RELEASE, VRELEASE.88"; exit;;
  --list-gpu-arch) printf 'compute_80\ncompute_90\ncompute_120\n'; exit;;
esac
while [ $# -gt 0 ]; do
  case $1 in
    -o) shift; out=$1;;
    -MF) shift; depfile=$1;;
    -arch=*) architecture=${1#-arch=};;
    *) source=$1;;
  esac
  shift
done
if [ "$(cat "$source")" = fault ]; then echo fault >&2; exit 1; fi
cat "$source" > "$out"
if [ "$depfile" ]; then
  name=${source##*/}
  echo "ptx $architecture ${name%.cu}" >> "${0%/*}/log"
  echo "out : $source \\" > "$depfile"
  sed -n 's/#include "\(.*\)"/ \1/p' "$source" >> "$depfile"
else
  name=${source%/*}
  echo "$architecture ${name##*/}" >> "${0%/*}/log"
  cat >&2 <<REPORT
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'plain' for '$architecture'
ptxas info    : Function properties for plain
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers, 372 bytes cmem[0]
ptxas info    : Compiling entry function 'spilling' for '$architecture'
ptxas info    : Function properties for spilling
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 1024 bytes smem, 372 bytes cmem[0]
ptxas info    : Function properties for helper
    24 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
REPORT
fi"#;
    program(&folder.join("nvcc"), &script.replace("RELEASE", release));
    let fatbinary = r#"for argument; do
  case $argument in --create=*) out=${argument#--create=};; esac
done
echo image > "$out"
name=${out%/*}
echo "fatbinary ${name##*/}" >> "${0%/*}/log""#;
    program(&folder.join("fatbinary"), fatbinary);
}

/// xtask on a workspace with this PATH and no other variable.
pub(crate) fn xtask(root: &Path, path: &OsStr, arguments: &[&str]) -> Command {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.env_clear().env("PATH", path).env("CARGO_MANIFEST_DIR", root.join("tools/xtask")).args(arguments);
    xtask
}

/// Runs a command: its exit code, its standard output and its standard error.
pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}
