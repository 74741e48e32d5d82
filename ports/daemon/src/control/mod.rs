//! The server of the control socket.
//!
//! A UNIX stream socket of mode 0600, or 0660 with a group. Root and the daemon's own user may do
//! everything; anybody else who can open the socket, a member of the group, may only look.

mod client;
pub mod pieces;
mod server;
#[cfg(test)]
mod tests;

pub use pieces::Reply;
pub use server::{Asked, BindError, ControlSocket, Server, allow_search};
