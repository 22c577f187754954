//! Running programs on the library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where cargo put the library beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join("libcuda.so")).find(|path| path.exists());
    found.expect("cargo builds the library before its tests")
}

/// A folder with the library under both its names, for the test of this name.
pub(crate) fn library_folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    for name in ["libcuda.so", "libcuda.so.1"] {
        std::fs::copy(library(), folder.join(name)).expect("the library is copied");
    }
    folder
}

/// What a program printed, which has ended well.
pub(crate) fn ran(mut command: Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    let text = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&text));
    output
}
