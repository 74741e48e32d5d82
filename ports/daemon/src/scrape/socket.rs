//! The sockets of the endpoint: TCP or UNIX.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use vrrp_config::MetricsAddress;

/// A kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TCP.
    Tcp,
    /// A UNIX stream socket.
    Unix,
}

impl Kind {
    /// Its word on the worker's command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Tcp => "tcp",
            Kind::Unix => "unix",
        }
    }

    /// The kind that a word stands for.
    pub fn of(word: &str) -> Option<Self> {
        [Kind::Tcp, Kind::Unix]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// UNIX.
    Unix(UnixListener),
}

impl Listener {
    /// The listener that a descriptor is.
    pub fn from_fd(kind: Kind, fd: OwnedFd) -> Self {
        match kind {
            Kind::Tcp => Listener::Tcp(fd.into()),
            Kind::Unix => Listener::Unix(fd.into()),
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        match self {
            Listener::Tcp(listener) => listener.as_raw_fd(),
            Listener::Unix(listener) => listener.as_raw_fd(),
        }
    }

    pub(super) fn accept(&self) -> io::Result<Stream> {
        let stream = match self {
            Listener::Tcp(listener) => Stream::Tcp(listener.accept()?.0),
            Listener::Unix(listener) => Stream::Unix(listener.accept()?.0),
        };
        match &stream {
            Stream::Tcp(stream) => stream.set_nonblocking(true)?,
            Stream::Unix(stream) => stream.set_nonblocking(true)?,
        }
        Ok(stream)
    }
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(super) fn fd(&self) -> RawFd {
        match self {
            Stream::Tcp(stream) => stream.as_raw_fd(),
            Stream::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(octets),
            Stream::Unix(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The name of the endpoint, held by the process that has the rights. Dropping it removes the name.
#[derive(Debug)]
pub struct MetricsSocket {
    listener: Listener,
    path: Option<PathBuf>,
}

impl MetricsSocket {
    /// Listens where the configuration says.
    ///
    /// # Errors
    /// The system refuses, or something else than a socket is there.
    pub fn bind(address: &MetricsAddress) -> io::Result<Self> {
        match address {
            MetricsAddress::Tcp(address) => Self::bind_tcp(*address),
            MetricsAddress::Unix(path) => Self::bind_unix(path),
        }
    }

    fn bind_tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: Listener::Tcp(listener),
            path: None,
        })
    }

    fn bind_unix(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                let why = "there is something else of that name, which is not a socket";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        // As with the loopback: everybody on this host may read.
        fs::set_permissions(path, Permissions::from_mode(0o666))?;
        Ok(Self {
            listener: Listener::Unix(listener),
            path: Some(path.to_path_buf()),
        })
    }

    /// Its kind, and a copy of its descriptor for a worker.
    pub fn share(&self) -> io::Result<(Kind, OwnedFd)> {
        Ok(match &self.listener {
            Listener::Tcp(listener) => (Kind::Tcp, listener.try_clone()?.into()),
            Listener::Unix(listener) => (Kind::Unix, listener.try_clone()?.into()),
        })
    }

    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Listener::Unix(_) => None,
        }
    }
}

impl Drop for MetricsSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}
