//! Whether frames come to the virtual MACs: a hypervisor or a switch may reject a second MAC.

use vrrp_core::VrKey;
use vrrp_port_kit::KernelIf;

use crate::netlink::Netlink;
use crate::state::State;

/// Macvlans that are asked for at a time. Those to whom something has come are not asked for again.
const ASKED: usize = 8;

/// The place in the list of macvlans whose counters are looked at next.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    next: usize,
}

impl Reached {
    /// Looks at the counters of macvlans that are up and to whom no unicast frame has come yet.
    pub(crate) fn look(&mut self, state: &mut State, netlink: &mut Netlink) {
        let routers = state.table.routers.iter();
        let unreached = routers.filter(|(_, r)| r.mac_on && r.mac.reached != Some(true));
        let unreached: Vec<(VrKey, KernelIf)> = unreached
            .filter_map(|(key, router)| Some((*key, router.mac.macvlan?)))
            .collect();
        if unreached.is_empty() {
            return;
        }
        let begin = self.next % unreached.len();
        self.next = begin + ASKED;
        let turn = unreached.iter().cycle().skip(begin);
        for (key, macvlan) in turn.take(ASKED.min(unreached.len())) {
            // Where it cannot be told now, it can in the next turn.
            if let Ok(Some(count)) = netlink.unicast_received(*macvlan)
                && let Some(router) = state.table.routers.get_mut(*key)
            {
                router.mac.reached = Some(count > 0);
            }
        }
    }
}
