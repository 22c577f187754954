//! `src/bindings.rs`: the structs and constants that host and device share, in Rust, from the families' C headers.

use crate::process::{Failure, file};
use crate::toolkit;
use std::path::{Path, PathBuf};
use std::{env, fs};

const BINDINGS: &str = "src/bindings.rs";

const HEAD: &str = r#"//! The structs and constants of `cuda/*/*.h`, which host and device share. Written by `cargo xtask bindgen`, never edited.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    rustdoc::broken_intra_doc_links,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "what the headers say, as bindgen writes it; some constants are for the device alone"
)]
"#;

/// Writes the file.
pub(crate) fn write(root: &Path) -> Result<(), Failure> {
    let path = root.join(BINDINGS);
    fs::write(&path, text(root)?).map_err(|error| file("write", &path, &error))?;
    eprintln!("xtask: wrote {BINDINGS}");
    Ok(())
}

/// Fails when the committed file is not what the headers say now.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    let path = root.join(BINDINGS);
    let committed = fs::read_to_string(&path).map_err(|error| file("read", &path, &error))?;
    if committed == text(root)? {
        return Ok(());
    }
    Err(Failure(format!(
        "{BINDINGS} is not what the headers in cuda/ say. Run `cargo xtask bindgen` and commit the file."
    )))
}

fn text(root: &Path) -> Result<String, Failure> {
    let headers = headers(root)?;
    if headers.is_empty() {
        return Err(Failure("there is no header in the folders of cuda/".into()));
    }
    // SAFETY: nothing else runs in this process that reads or writes the environment.
    unsafe { env::set_var("LIBCLANG_PATH", toolkit::libclang(root)?) };
    // No header of the machine is read, so the file is the same wherever it is written.
    let shim = format!("-isystem{}", root.join("tools/xtask/include").display());
    let generated = bindgen::Builder::default()
        .headers(headers.iter().map(|path| path.display().to_string()))
        .clang_args(["-xc", "-std=c2x", "-fparse-all-comments", "-nostdinc", &shim, "-Wno-pragma-once-outside-header"])
        .allowlist_file(format!("{}/.*", regex_escaped(&root.join("cuda"))))
        .use_core()
        .layout_tests(true)
        .derive_debug(true)
        .derive_copy(true)
        .merge_extern_blocks(true)
        .disable_header_comment()
        .rustfmt_configuration_file(Some(root.join("rustfmt.toml")))
        .generate()?;
    Ok(generated.to_string().lines().fold(format!("{HEAD}\n"), |text, line| text + &doc_comment(line) + "\n"))
}

/// A line of generated code; a `#[doc = " text"]` as the comment that it stands for.
fn doc_comment(line: &str) -> String {
    let Some((indent, literal)) = line.split_once("#[doc = \"") else { return line.into() };
    let Some(text) = literal.strip_suffix("\"]") else { return line.into() };
    let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
    text.split("\\n").map(|part| format!("{indent}///{part}")).collect::<Vec<_>>().join("\n")
}

/// The headers in the folders of cuda/, in order.
fn headers(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut headers = Vec::new();
    for family in entries(&root.join("cuda"))?.into_iter().filter(|path| path.is_dir()) {
        headers.extend(entries(&family)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "h")));
    }
    headers.sort();
    Ok(headers)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| file("read", folder, &error))?;
    entries.map(|entry| Ok(entry.map_err(|error| file("read", folder, &error))?.path())).collect()
}

/// A path as a regular expression that matches it alone.
fn regex_escaped(path: &Path) -> String {
    let path = path.display().to_string();
    path.chars().flat_map(|c| (!c.is_alphanumeric() && c.is_ascii()).then_some('\\').into_iter().chain([c])).collect()
}
