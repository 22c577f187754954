//! `cargo xtask peers` in a workspace of its own: what it installs, what it runs, each wrong state with its message.

use crate::support::{Folder, run, xtask};
use std::fs;

/// A Python whose pip installs one file and counts its runs, and that says what else it is asked for.
const PYTHON: &str = r#"[ "$1" = --version ] && { echo Python 3.12.1; exit; }
[ "$3" = --version ] && exit
if [ "$1" = -m ]; then
  while [ "$1" != --target ]; do shift; done
  /bin/mkdir -p "$2" && echo run >> "${0%/*}/../runs" && echo wheel > "$2/wheel"
  exit
fi
echo "$PYTHONPATH: $*" >> "${0%/*}/../log"
exit $PREPARE"#;

struct Peers(Folder);

impl Peers {
    fn new(python3: Option<&str>) -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.path().join("tools/peers")).unwrap();
        fs::write(folder.path().join("tools/peers/requirements.txt"), "triton==3.9.0 --hash=sha256:00\n").unwrap();
        folder.program("cargo", r#"echo "cargo $*" >> "${0%/*}/log"; exit 3"#);
        if let Some(python3) = python3 {
            folder.program("path/python3", python3);
        }
        Self(folder)
    }

    fn run(&self, arguments: &[&str], prepare: i32) -> (i32, String) {
        let root = self.0.path();
        let mut xtask = xtask(root, root.join("path").as_os_str(), &[&["peers"], arguments].concat());
        let (code, _, text) = run(xtask.env("CARGO", root.join("cargo")).env("PREPARE", prepare.to_string()));
        (code, text)
    }

    /// What was run, with `ROOT` for the workspace.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.0.path().join("log")).unwrap_or_default();
        log.replace(&*self.0.path().to_string_lossy(), "ROOT")
    }

    fn installed(&self) -> usize {
        fs::read_to_string(self.0.path().join("runs")).map_or(0, |runs| runs.lines().count())
    }
}

#[test]
fn the_kernels_are_prepared_and_run() {
    let peers = Peers::new(Some(PYTHON));
    assert_eq!(peers.run(&[], 0).0, 3, "the exit code is that of the program that judges");
    assert_eq!(
        peers.log(),
        "ROOT/.toolkit/peers: ROOT/tools/peers/python/prepare.py --out ROOT/target/peers
cargo run --quiet --release --package oblate-peers -- ROOT/target/peers\n"
    );
    let input = peers.0.path().join("cargo");
    let given = input.to_str().unwrap();
    peers.run(&[peers.0.path().to_str().unwrap(), "--input", given], 0);
    assert!(peers.log().contains("--out ROOT/target/peers --sources ROOT --input ROOT/cargo\n"), "{}", peers.log());
    assert_eq!(peers.installed(), 1);
}

#[test]
fn triton_is_installed_again_when_it_is_another_or_for_another_python() {
    let peers = Peers::new(Some(PYTHON));
    peers.run(&[], 0);
    fs::write(peers.0.path().join("tools/peers/requirements.txt"), "triton==4.0.0 --hash=sha256:00\n").unwrap();
    peers.run(&[], 0);
    assert_eq!(peers.installed(), 2);
    peers.0.program("path/python3", &PYTHON.replace("3.12.1", "3.13.0"));
    peers.run(&[], 0);
    assert_eq!(peers.installed(), 3);
    assert!(!peers.0.path().join(".toolkit/peers.new").exists());
}

#[test]
fn what_prepare_refuses_is_not_run() {
    let peers = Peers::new(Some(PYTHON));
    assert_eq!(peers.run(&[], 1).0, 1);
    assert!(!peers.log().contains("cargo"), "{}", peers.log());
}

#[test]
fn no_python() {
    let peers = Peers::new(None);
    let (code, text) = peers.run(&[], 0);
    assert_eq!(code, 1);
    assert_eq!(
        text,
        "xtask: Triton is installed by Python's pip, and no Python here has it. Tried, in this order, with -m pip --version:
    python3  does not run: No such file or directory (os error 2)
    python   does not run: No such file or directory (os error 2)
Install python3 with pip (Debian: apt install python3-pip) and run `cargo xtask peers` again.\n"
    );
}

#[test]
fn pip_that_fails_leaves_nothing() {
    let peers = Peers::new(Some(
        r#"[ "$1" = --version ] && exit; [ "$3" = --version ] && exit; echo 'ERROR: no network' >&2; exit 1"#,
    ));
    let (code, text) = peers.run(&[], 0);
    assert_eq!(code, 1);
    assert!(
        text.ends_with(
            "ERROR: no network
xtask: pip did not install tools/peers/requirements.txt (its message is above); the peers need a Python from 3.11 to 3.14 \
             on Linux, and PyPI. Nothing was changed; run `cargo xtask peers` again once both are there.\n"
        ),
        "{text}"
    );
    assert!(!peers.0.path().join(".toolkit/peers").exists());
}

#[test]
fn paths_that_are_not_there() {
    let peers = Peers::new(Some(PYTHON));
    for arguments in [&["/nowhere/repository"][..], &["--input", "/nowhere/repository"]] {
        let (code, text) = peers.run(arguments, 0);
        assert_eq!(
            (code, &*text),
            (1, "xtask: cannot read /nowhere/repository: No such file or directory (os error 2)\n")
        );
    }
    assert_eq!(peers.installed(), 0);
}
