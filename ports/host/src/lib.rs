//! Drives the engine over an operating system.

mod platform;

pub use platform::{Incoming, Platform, PlatformError, VrSetup};
