//! One deadline for each virtual router, and the next of all: in a wheel, or without the feature `large`
//! in a list. Both have the same calls.

#[cfg(not(feature = "large"))]
mod linear;
#[cfg(feature = "large")]
mod wheel;

#[cfg(not(feature = "large"))]
pub(super) use linear::Deadlines;
#[cfg(feature = "large")]
pub(super) use wheel::Deadlines;
