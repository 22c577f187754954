//! The driver's functions through cudarc, unmodified: its safe layer as its users call it, and its raw one for misuse.

#[path = "../compile/mod.rs"]
mod compile;
mod launches;
mod misuse;
mod modules;
mod safe;
mod support;
