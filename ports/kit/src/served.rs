//! The addresses that a virtual router serves, and how.

use vrrp_core::{Failure, VirtualAddress, VrKey};

use crate::kernel_if::KernelIf;

/// An address that a virtual router serves.
#[derive(Debug)]
pub struct Served<E> {
    /// The address.
    pub address: VirtualAddress,
    /// The kernel's index of the interface that it is on.
    pub index: KernelIf,
    /// The way in which it is served.
    pub how: Serving,
    /// Its entry of the ledger.
    pub entry: E,
}

/// The way in which an address is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// We put it there.
    Installed,
    /// It was there before us, and stays.
    Adopted,
    /// Only the questions for it are answered, by the host.
    Silent {
        /// We put the blackhole route there.
        route: bool,
    },
}

/// The addresses that a virtual router serves now.
#[derive(Debug)]
pub(crate) struct ServedAddresses<E>(Vec<Served<E>>);

impl<E> Default for ServedAddresses<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E> ServedAddresses<E> {
    /// One more.
    pub(crate) fn push(&mut self, served: Served<E>) {
        self.0.push(served);
    }

    /// All of them.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Served<E>> {
        self.0.iter()
    }

    /// Takes all of them out.
    pub(crate) fn take(&mut self) -> Vec<Served<E>> {
        std::mem::take(&mut self.0)
    }

    /// Leaves those that `stays` is true of.
    pub(crate) fn retain(&mut self, stays: impl FnMut(&Served<E>) -> bool) {
        self.0.retain(stays);
    }

    /// Returns the change by which `address` is served with `accept` mode or not, or not at all.
    pub(crate) fn change(&mut self, address: VirtualAddress, accept: bool, on: bool) -> Change<E> {
        let Some(at) = self.0.iter().position(|served| served.address == address) else {
            return Change {
                give_up: None,
                serve: on,
            };
        };
        let silent = matches!(self.0[at].how, Serving::Silent { .. });
        if on && accept != silent {
            return Change {
                give_up: None,
                serve: false,
            };
        }
        Change {
            give_up: Some(self.0.swap_remove(at)),
            serve: on,
        }
    }

    /// Forgets addresses that are not `there` any more, and says so.
    pub(crate) fn find_losses(
        &mut self,
        key: VrKey,
        there: impl Fn(&Served<E>) -> bool,
        lost: &mut Vec<Failure>,
    ) {
        self.0.retain(|served| {
            let stays = matches!(served.how, Serving::Silent { .. }) || there(served);
            if !stays {
                let address = served.address.address;
                lost.push(Failure::Address { key, address });
            }
            stays
        });
    }
}

/// The steps by which an address is served in another way, or not at all.
#[derive(Debug)]
pub struct Change<E> {
    /// Is to be given up first.
    pub give_up: Option<Served<E>>,
    /// Is to be served then.
    pub serve: bool,
}

#[cfg(test)]
mod tests {
    use vrrp_core::{Family, Vrid};

    use super::*;

    #[test]
    fn an_address_is_given_up_before_it_is_served_in_another_way() {
        let address = VirtualAddress {
            address: [10, 0, 0, 100].into(),
            prefix_len: 24,
        };
        let served = |how| Served {
            address,
            index: KernelIf::new(3).unwrap(),
            how,
            entry: (),
        };
        let mut addresses = ServedAddresses::default();
        let mut changed = |before: Option<Serving>, accept, on| {
            addresses.take();
            addresses.0.extend(before.map(served));
            let change = addresses.change(address, accept, on);
            (change.give_up.is_some(), change.serve)
        };
        let silent = Serving::Silent { route: true };
        assert_eq!(changed(None, true, true), (false, true));
        assert_eq!(changed(None, true, false), (false, false));
        assert_eq!(
            changed(Some(Serving::Installed), true, true),
            (false, false)
        );
        assert_eq!(changed(Some(Serving::Installed), false, true), (true, true));
        assert_eq!(changed(Some(silent), false, true), (false, false));
        assert_eq!(changed(Some(silent), true, true), (true, true));
        assert_eq!(changed(Some(Serving::Adopted), true, false), (true, false));
    }

    #[test]
    fn what_is_installed_can_be_lost_and_a_route_cannot() {
        let key = VrKey {
            ifindex: 700,
            vrid: Vrid::new(7).unwrap(),
            family: Family::Ipv4,
        };
        let mut addresses = ServedAddresses::default();
        for (last, how) in [
            (1, Serving::Installed),
            (2, Serving::Silent { route: true }),
        ] {
            addresses.push(Served {
                address: VirtualAddress {
                    address: [10, 0, 0, last].into(),
                    prefix_len: 24,
                },
                index: KernelIf::new(3).unwrap(),
                how,
                entry: (),
            });
        }
        let mut lost = Vec::new();
        addresses.find_losses(key, |_| false, &mut lost);
        let address = [10, 0, 0, 1].into();
        assert_eq!(lost, [Failure::Address { key, address }]);
        assert_eq!(addresses.iter().count(), 1);
    }
}
