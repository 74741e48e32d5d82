//! Signed advertisements of one virtual router: its keys, the numbers that it signs with, and the numbers
//! of others that it believed. Rules H-1 to H-13.
//!
//! | file | part |
//! |---|---|
//! | `hmac` | settings and keys, and the rules |
//! | `clock` | the wall clock as the engine was told, and the numbers that are made of it |
//! | `marks` | the last number of each sender that was believed |
//! | `senders` | the senders, for people |
//! | `none` | the same without the feature `hmac`: no key, no octet, no code |

#[cfg(feature = "hmac")]
mod clock;
#[cfg(feature = "hmac")]
mod hmac;
#[cfg(feature = "hmac")]
mod marks;
#[cfg(not(feature = "hmac"))]
mod none;
#[cfg(feature = "hmac")]
mod senders;

#[cfg(feature = "hmac")]
pub(in crate::engine) use clock::Clock;
#[cfg(feature = "hmac")]
pub(in crate::engine) use hmac::Auth;
#[cfg(not(feature = "hmac"))]
pub(in crate::engine) use none::Auth;
