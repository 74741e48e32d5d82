//! The platform in two processes: the parent has the rights, and the worker hears and sends frames and
//! asks for the rest.

mod channel;
mod parent;
mod worker;

pub use parent::Parent;
pub use worker::WorkerPlatform;
