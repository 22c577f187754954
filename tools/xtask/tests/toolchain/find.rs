//! Which nvcc is taken, and what is said where there is none.

use crate::nvcc::{Nvcc, Places};
use crate::support::{Folder, nvcc_script};
use std::collections::HashMap;
use std::path::Path;

/// What `find` says with these variables, no CUDA in the system's folder, and this workspace.
pub(crate) fn find(variables: &[(&str, &Path)], workspace: Option<&Path>) -> Result<Nvcc, String> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|path| path.as_os_str().to_owned());
    let places = Places { variable: &variable, system: Path::new("/nowhere/cuda"), workspace };
    places.find().map_err(|error| error.to_string())
}

#[test]
fn no_nvcc_and_no_toolkit() {
    let folder = Folder::new();
    let root = folder.path();
    let message = find(&[("CUDA_HOME", &root.join("home")), ("PATH", root)], Some(root)).unwrap_err();
    let root = root.display();
    assert_eq!(
        message,
        format!(
            "no nvcc of release 12.8 or later. Tried, in this order:
    $NVCC          not set
    $CUDA_HOME     {root}/home/bin/nvcc is not there
    $CUDA_PATH     not set
    PATH           no nvcc in its folders
    /nowhere/cuda  /nowhere/cuda/bin/nvcc is not there
    .toolkit       {root}/.toolkit/nvidia/cu13/bin/nvcc is not there
Run `cargo xtask toolkit`, which puts nvcc 13.0 into .toolkit/ (needs python3 with pip), or set NVCC to the nvcc to use."
        )
    );
    assert_eq!(
        find(&[], None).unwrap_err(),
        "no nvcc of release 12.8 or later. Tried, in this order:
    $NVCC          not set
    $CUDA_HOME     not set
    $CUDA_PATH     not set
    PATH           no nvcc in its folders
    /nowhere/cuda  /nowhere/cuda/bin/nvcc is not there
Install the CUDA toolkit 12.8 or later, or set NVCC to the nvcc to use."
    );
}

#[test]
fn an_old_nvcc_is_passed_over_unless_it_was_asked_for() {
    let folder = Folder::new();
    let (old, home) = (folder.path().join("old/bin"), folder.path().join("new"));
    nvcc_script(&old, "12.6");
    nvcc_script(&home.join("bin"), "12.8");
    let found = find(&[("CUDA_PATH", &home), ("PATH", &old)], None).unwrap();
    assert_eq!((found.release, found.path), ((12, 8), home.join("bin/nvcc")));

    let only_old = find(&[("PATH", &old)], None).unwrap_err();
    let line = format!("    PATH           {}/nvcc is release 12.6, older than 12.8\n", old.display());
    assert!(only_old.contains(&line), "{only_old}");
    assert_eq!(
        find(&[("NVCC", &old.join("nvcc")), ("CUDA_PATH", &home)], Some(folder.path())).unwrap_err(),
        format!(
            "no nvcc of release 12.8 or later. Tried, in this order:
    $NVCC  {}/nvcc is release 12.6, older than 12.8
NVCC is set, so nothing else was tried. Unset it, or set NVCC to the nvcc to use.",
            old.display()
        )
    );
}

#[test]
fn the_search_order() {
    let folder = Folder::new();
    let place = |name: &str| {
        nvcc_script(&folder.path().join(name).join("bin"), "13.0");
        folder.path().join(name)
    };
    let (named, home, path, on_path) = (place("named"), place("home"), place("path"), place("on_path"));
    nvcc_script(&folder.path().join(".toolkit/nvidia/cu13/bin"), "13.0");
    let (named, on_path) = (named.join("bin/nvcc"), on_path.join("bin"));
    let all = [("NVCC", &*named), ("CUDA_HOME", &*home), ("CUDA_PATH", &*path), ("PATH", &*on_path)];
    let expected = ["named/bin", "home/bin", "path/bin", "on_path/bin", ".toolkit/nvidia/cu13/bin"];
    for (left_out, expected) in expected.iter().enumerate() {
        let found = find(&all[left_out..], Some(folder.path())).unwrap();
        assert_eq!(found.path, folder.path().join(expected).join("nvcc"));
    }
}
