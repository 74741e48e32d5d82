//! The parts that steps share: programs to run, packages, temporary folders, output.

pub(crate) mod apart;
pub(crate) mod cross;
pub(crate) mod debian_rust;
pub(crate) mod libraries;
pub(crate) mod output;
pub(crate) mod packages;
pub(crate) mod paths;
pub(crate) mod python;
pub(crate) mod run;
pub(crate) mod scratch;
pub(crate) mod zig;
