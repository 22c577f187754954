//! The driver's functions through cudarc, unmodified: its safe layer as its users call it, and its raw one for misuse.

mod capture;
#[path = "../compile/mod.rs"]
mod compile;
mod graphs;
mod launches;
mod libraries;
mod misuse;
mod modules;
mod pitched;
mod safe;
mod support;
