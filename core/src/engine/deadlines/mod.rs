//! One deadline for each virtual router, and the next of all: in a wheel, or with the feature `small`
//! in a list. Both have the same calls.

#[cfg(feature = "small")]
mod linear;
#[cfg(not(feature = "small"))]
mod wheel;

#[cfg(feature = "small")]
pub(super) use linear::Deadlines;
#[cfg(not(feature = "small"))]
pub(super) use wheel::Deadlines;
