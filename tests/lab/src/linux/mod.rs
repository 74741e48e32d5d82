//! The lab on Linux: hosts are network namespaces, cables pairs of veth, the hub a bridge.

pub mod flooder;
pub mod frames;
pub mod host;
pub mod hub;
pub mod kernel;
pub mod netns;

pub use hub::Hub;
pub use netns::{Netns, Netns as Stack};
