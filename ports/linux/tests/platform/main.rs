//! The platform against Linux, each test in a network namespace of its own. Needs root.

mod announcements;
#[path = "../common/mod.rs"]
mod common;
mod followers;
mod frames;
mod macs;
mod process;
mod routing;
mod silent;
mod sources;
mod sysctls;
mod trouble;
