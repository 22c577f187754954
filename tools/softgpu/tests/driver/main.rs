//! The driver's functions through cudarc, unmodified: its safe layer as its users call it, and its raw one for misuse.

mod capture;
#[path = "../compile/mod.rs"]
mod compile;
mod faults;
mod graphs;
mod launches;
mod leaks;
mod libraries;
mod misuse;
mod modules;
mod pitched;
mod pools;
mod safe;
mod shared_memory;
mod support;
