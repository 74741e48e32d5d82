//! The interfaces that the host watches, by its handles.

use std::collections::{BTreeMap, btree_map};
use std::io;

use vrrp_core::{Family, VrKey};
use vrrp_host::{HostIf, PlatformError};

use crate::errors::unprepared;
use crate::kernel_if::KernelIf;
use crate::watched::{InterfaceSockets, Watched, unwatched};

/// The interfaces that the host watches.
#[derive(Debug)]
pub struct Interfaces<S>(BTreeMap<HostIf, Watched<S>>);

impl<S> Default for Interfaces<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: InterfaceSockets> Interfaces<S> {
    /// Adds an interface that need not exist.
    ///
    /// # Errors
    /// Another one has this handle.
    pub fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        match self.0.entry(host_if) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Watched::new(name));
                Ok(())
            }
            btree_map::Entry::Occupied(_) => {
                let error = io::ErrorKind::AlreadyExists.into();
                let what = format!("watch {name}: number {host_if}");
                Err(PlatformError::new(what, error))
            }
        }
    }

    /// Forgets an interface.
    pub fn unwatch(&mut self, host_if: HostIf) {
        self.0.remove(&host_if);
    }

    /// Joins or leaves the group of a family on an interface, now and whenever it returns.
    pub fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        match self.0.get_mut(&host_if) {
            Some(watched) => watched.set_group(family, on),
            None => Err(unwatched(host_if, family, on)),
        }
    }

    /// Returns a watched interface.
    pub fn get(&self, host_if: HostIf) -> Option<&Watched<S>> {
        self.0.get(&host_if)
    }

    /// Returns a watched interface.
    pub fn get_mut(&mut self, host_if: HostIf) -> Option<&mut Watched<S>> {
        self.0.get_mut(&host_if)
    }

    /// Returns the sockets of an interface that is there.
    pub fn sockets(&self, host_if: HostIf) -> Option<&S> {
        self.0.get(&host_if)?.sockets.as_ref()
    }

    /// Returns the sockets of an interface that is there.
    pub fn sockets_mut(&mut self, host_if: HostIf) -> Option<&mut S> {
        self.0.get_mut(&host_if)?.sockets.as_mut()
    }

    /// Returns the kernel's index of an interface that is there.
    pub fn index(&self, host_if: HostIf) -> Option<KernelIf> {
        self.0.get(&host_if)?.index()
    }

    /// Returns the name of an interface, empty if it is not watched.
    pub fn name(&self, host_if: HostIf) -> &str {
        self.0.get(&host_if).map_or("", |watched| &watched.name)
    }

    /// Returns the handles of all interfaces.
    pub fn handles(&self) -> Vec<HostIf> {
        self.0.keys().copied().collect()
    }

    /// Iterates over the interfaces.
    pub fn iter(&self) -> impl Iterator<Item = (HostIf, &Watched<S>)> {
        self.0.iter().map(|(host_if, watched)| (*host_if, watched))
    }

    /// Iterates over the interfaces.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (HostIf, &mut Watched<S>)> {
        let interfaces = self.0.iter_mut();
        interfaces.map(|(host_if, watched)| (*host_if, watched))
    }

    /// Whether no interface is watched.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the index and the name of the interface of a virtual router.
    ///
    /// # Errors
    /// It is not watched, or not there.
    pub fn parent(&self, key: VrKey) -> Result<(KernelIf, &str), PlatformError> {
        let watched = self.get(HostIf::of(key)).ok_or_else(|| unprepared(key))?;
        match watched.index() {
            Some(index) => Ok((index, &watched.name)),
            None => {
                let error = io::Error::from_raw_os_error(S::NO_INTERFACE);
                Err(PlatformError::new(format!("find {}", watched.name), error))
            }
        }
    }
}
