//! A kernel reaches the memory that it was given, and nothing else; and what a kernel or a module asks for has limits.

mod limits;
mod pointers;
#[path = "../raw/mod.rs"]
mod raw;

use std::ffi::CString;

/// The text of a module for the device.
fn module(text: &str) -> CString {
    CString::new(format!(".version 8.0\n.target sm_80\n.address_size 64\n{text}\n")).expect("a text has no NUL")
}

/// A module with a kernel of one 64-bit parameter, which is in `%rd1`.
fn kernel(body: &str) -> CString {
    module(&format!(
        ".extern .func (.param .b32 status) vprintf (.param .b64 format, .param .b64 arguments);\n\
         .visible .entry k(.param .u64 p)\n{{\n.reg .pred %p<9>;\n.reg .b16 %h<9>;\n.reg .b32 %r<40>;\n.reg .b64 %rd<9>;\n\
         ld.param.u64 %rd1, [p];\n{body}\nret;\n}}"
    ))
}
