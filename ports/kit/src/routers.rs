//! The virtual routers that the host has prepared, and the addresses that they serve.

use std::collections::{BTreeSet, HashMap, hash_map};
use std::net::IpAddr;

use vrrp_core::{Failure, VirtualAddress, VrKey};
use vrrp_host::{HostIf, VrSetup};

use crate::kernel_if::KernelIf;
use crate::served::{Change, Served, ServedAddresses, Serving};

/// A virtual router that the host has prepared. `E` is the port's entry of the ledger, `M` what it has
/// installed for the MAC.
#[derive(Debug)]
pub struct Router<E, M> {
    /// The setup that was prepared last.
    pub setup: VrSetup,
    /// The installed carrier of its MAC.
    pub mac: M,
    /// The host has taken up its MAC.
    pub mac_on: bool,
    served: ServedAddresses<E>,
}

impl<E, M> Router<E, M> {
    /// Iterates over the addresses that it serves now.
    pub fn served(&self) -> std::slice::Iter<'_, Served<E>> {
        self.served.iter()
    }

    /// Whether it serves the address in any way.
    pub fn serves(&self, address: IpAddr) -> bool {
        self.served()
            .any(|served| served.address.address == address)
    }
}

/// The virtual routers that the host has prepared.
#[derive(Debug)]
pub struct Routers<E, M> {
    table: HashMap<VrKey, Router<E, M>>,
    places: Places,
    /// Silent addresses that stay although their virtual routers were released.
    held: BTreeSet<IpAddr>,
}

impl<E, M> Default for Routers<E, M> {
    fn default() -> Self {
        Self {
            table: HashMap::new(),
            places: Places::default(),
            held: BTreeSet::new(),
        }
    }
}

impl<E, M: Default> Routers<E, M> {
    /// Prepares a virtual router, or gives one that is prepared another setup.
    pub fn prepare(&mut self, setup: &VrSetup) {
        match self.table.entry(setup.key) {
            hash_map::Entry::Occupied(mut occupied) => occupied.get_mut().setup = setup.clone(),
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Router {
                    setup: setup.clone(),
                    mac: M::default(),
                    mac_on: false,
                    served: ServedAddresses::default(),
                });
            }
        }
    }
}

impl<E, M> Routers<E, M> {
    /// Forgets a virtual router.
    pub fn remove(&mut self, key: VrKey) -> Option<Router<E, M>> {
        let router = self.table.remove(&key)?;
        for served in router.served() {
            self.places.remove(served);
        }
        Some(router)
    }

    /// Returns a virtual router that is prepared.
    pub fn get(&self, key: VrKey) -> Option<&Router<E, M>> {
        self.table.get(&key)
    }

    /// Returns a virtual router that is prepared.
    pub fn get_mut(&mut self, key: VrKey) -> Option<&mut Router<E, M>> {
        self.table.get_mut(&key)
    }

    /// Iterates over the virtual routers.
    pub fn iter(&self) -> hash_map::Iter<'_, VrKey, Router<E, M>> {
        self.table.iter()
    }

    /// Iterates over the virtual routers.
    pub fn iter_mut(&mut self) -> hash_map::IterMut<'_, VrKey, Router<E, M>> {
        self.table.iter_mut()
    }

    /// Iterates over the virtual routers on an interface.
    pub fn on(&self, host_if: HostIf) -> impl Iterator<Item = (VrKey, &Router<E, M>)> {
        let routers = self.table.iter().map(|(key, router)| (*key, router));
        routers.filter(move |(key, _)| HostIf::of(key) == host_if)
    }

    /// Returns the keys of all virtual routers.
    pub fn keys(&self) -> Vec<VrKey> {
        self.table.keys().copied().collect()
    }

    /// Returns the keys of the virtual routers on an interface.
    pub fn keys_on(&self, host_if: HostIf) -> Vec<VrKey> {
        self.on(host_if).map(|(key, _)| key).collect()
    }

    /// Iterates over the addresses that are to be on the loopback for as long as their virtual routers
    /// are prepared. A link-local one is of one link, and is none of them.
    pub fn silent_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let silent = self.table.values().filter(|router| router.setup.silent);
        let addresses = silent.flat_map(|router| &router.setup.addresses);
        let addresses = addresses.map(|(address, _)| address.address);
        let of_routers =
            addresses.filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
        of_routers.chain(self.held.iter().copied())
    }

    /// Keeps the silent addresses when their virtual routers are released, until
    /// [`let_go_silent`](Self::let_go_silent).
    pub fn hold_silent(&mut self) {
        self.held = self.silent_addresses().collect();
    }

    /// Keeps silent addresses no longer than their virtual routers.
    pub fn let_go_silent(&mut self) {
        self.held.clear();
    }

    /// Iterates over the addresses that any virtual router serves.
    pub fn served(&self) -> impl Iterator<Item = &Served<E>> {
        self.table.values().flat_map(Router::served)
    }

    /// Whether a virtual router serves the address on the interface `index`.
    pub fn serves(&self, index: KernelIf, address: IpAddr) -> bool {
        self.places.get(index, address).served > 0
    }

    /// Whether we put the address on the interface `index`.
    pub fn is_installed(&self, index: KernelIf, address: IpAddr) -> bool {
        self.places.get(index, address).installed > 0
    }

    /// Finds out what is to be done so that a virtual router serves `address` with `accept` mode or not,
    /// or not at all. The address that is to be given up is not served any more. Returns `None` if the
    /// virtual router is not prepared.
    pub fn change(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Option<Change<E>> {
        let change = self.table.get_mut(&key)?.served.change(address, accept, on);
        if let Some(served) = &change.give_up {
            self.places.remove(served);
        }
        Some(change)
    }

    /// Adds an address that a virtual router serves from now on.
    pub fn serve(&mut self, key: VrKey, served: Served<E>) {
        if let Some(router) = self.table.get_mut(&key) {
            self.places.add(&served);
            router.served.push(served);
        }
    }

    /// Takes the addresses of a virtual router: it serves none any more.
    pub fn take_served(&mut self, key: VrKey) -> Vec<Served<E>> {
        let router = self.table.get_mut(&key);
        let all = router
            .map(|router| router.served.take())
            .unwrap_or_default();
        for served in &all {
            self.places.remove(served);
        }
        all
    }

    /// Forgets the addresses on interfaces that are gone.
    pub fn forget_on(&mut self, gone: impl Fn(KernelIf) -> bool) {
        for router in self.table.values_mut() {
            router.served.retain(|served| !gone(served.index));
        }
        self.places = Places::of(&self.table);
    }

    /// Forgets addresses that are not `there` any more, and reports them as lost.
    pub fn find_losses(&mut self, there: impl Fn(&Served<E>) -> bool, lost: &mut Vec<Failure>) {
        for (key, router) in &mut self.table {
            router.served.find_losses(*key, &there, lost);
        }
        self.places = Places::of(&self.table);
    }
}

/// An index of the addresses of virtual routers, for questions about one address.
#[derive(Debug, Default)]
struct Places(HashMap<(KernelIf, IpAddr), Count>);

/// How many virtual routers have an address at a place. During a reload two may.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    served: u32,
    installed: u32,
}

impl Places {
    fn of<E, M>(routers: &HashMap<VrKey, Router<E, M>>) -> Self {
        let mut places = Self::default();
        for served in routers.values().flat_map(Router::served) {
            places.add(served);
        }
        places
    }

    fn add<E>(&mut self, served: &Served<E>) {
        let count = self.0.entry(place(served)).or_default();
        count.served += 1;
        count.installed += u32::from(served.how == Serving::Installed);
    }

    fn remove<E>(&mut self, served: &Served<E>) {
        if let Some(count) = self.0.get_mut(&place(served)) {
            count.served = count.served.saturating_sub(1);
            let installed = u32::from(served.how == Serving::Installed);
            count.installed = count.installed.saturating_sub(installed);
            if count.served == 0 {
                self.0.remove(&place(served));
            }
        }
    }

    fn get(&self, index: KernelIf, address: IpAddr) -> Count {
        self.0.get(&(index, address)).copied().unwrap_or_default()
    }
}

fn place<E>(served: &Served<E>) -> (KernelIf, IpAddr) {
    (served.index, served.address.address)
}
