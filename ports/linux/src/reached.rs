//! Whether frames come to the virtual MACs: a hypervisor or a switch may reject a second MAC.

use vrrp_core::VrKey;
use vrrp_port_kit::KernelIf;

use crate::platform::LinuxPlatform;

/// Macvlans that are asked for at a time. Those to whom something has come are not asked for again.
const ASKED: usize = 8;

impl LinuxPlatform {
    /// Looks at the counters of macvlans that are up and to whom no unicast frame has come yet.
    pub(crate) fn look_for_unicast(&mut self) {
        let unreached = self.routers.iter();
        let unreached = unreached.filter(|(_, r)| r.mac_on && r.reached != Some(true));
        let unreached: Vec<(VrKey, KernelIf)> = unreached
            .filter_map(|(key, router)| Some((*key, router.link?)))
            .collect();
        if unreached.is_empty() {
            return;
        }
        let begin = self.asked_for_unicast % unreached.len();
        self.asked_for_unicast = begin + ASKED;
        let turn = unreached.iter().cycle().skip(begin);
        for (key, link) in turn.take(ASKED.min(unreached.len())) {
            // Where it cannot be told now, it can in the next turn.
            if let Ok(Some(count)) = self.netlink.unicast_received(*link)
                && let Some(router) = self.routers.get_mut(key)
            {
                router.reached = Some(count > 0);
            }
        }
    }
}
