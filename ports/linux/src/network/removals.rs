//! Removals that failed, tried again.

use vrrp_core::Instant;
use vrrp_host::PlatformError;
use vrrp_port_kit::KernelIf;

use super::Network;
use crate::installer::PAUSE;
use crate::netlink;
use crate::sys;

impl Network {
    /// Removes what should be gone. After an error it is tried again.
    pub(super) fn remove_strays(&mut self) -> Result<(), PlatformError> {
        let result = self.try_to_remove_strays();
        let now = Instant::from_micros(sys::monotonic_us());
        self.installer.strays.tried(&result, now + PAUSE);
        result
    }

    fn try_to_remove_strays(&mut self) -> Result<(), PlatformError> {
        let listed = self.resync();
        listed.map_err(|error| PlatformError::new("list the interfaces", error))?;
        let mut result = self.remove_stray_macvlans();
        for stray in self.installer.strays.take() {
            if !stray.is_there(&self.state) {
                continue;
            }
            match self.give_up(&stray.served) {
                // A note that stays finds nothing to remove in the next life.
                Ok(()) => drop(self.installer.ledger.remove(&stray.served.entry)),
                Err(error) => {
                    self.installer.strays.put_back(stray);
                    result = result.and(Err(error));
                }
            }
        }
        let restored = self.sysctls.restore_rest(&self.state, &mut self.installer);
        result.and(restored)
    }

    /// Removes macvlans of this life that no virtual router has, and closes those that should be.
    fn remove_stray_macvlans(&mut self) -> Result<(), PlatformError> {
        let mut result = Ok(());
        let ours = self.state.links.iter().filter(|l| self.is_of_this_life(l));
        let ours: Vec<(KernelIf, String)> =
            ours.map(|link| (link.index, link.name.clone())).collect();
        for (index, name) in ours {
            let key = self.state.of_macvlan(index);
            let router = key.and_then(|key| self.state.table.routers.get(key));
            let on = router.map(|router| router.mac_on);
            if self.reaper.has(index) || on == Some(true) {
                continue;
            }
            let (what, done) = match on {
                None => (
                    format!("remove {name}"),
                    self.installer
                        .netlink
                        .perform(|to| netlink::delete_link(to, index)),
                ),
                Some(_) if self.state.links.is_up(index) => (
                    format!("set {name} down"),
                    self.installer
                        .netlink
                        .perform(|to| netlink::link_flags(to, index, false)),
                ),
                Some(_) => continue,
            };
            if let Err(error) = done
                && error.raw_os_error() != Some(libc::ENODEV)
            {
                result = result.and(Err(PlatformError::new(what, error)));
            }
        }
        result
    }
}
