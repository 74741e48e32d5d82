//! The MAC filter: lets virtual MACs in besides the board's own, and nothing else.
//!
//! The HAL has the controller receive its own MAC (address 0) and all groups. Of its further addresses,
//! which are compared octet by octet under a mask, two are enough for every VRID of both families. No
//! frame to other hosts comes in, so a flooded segment costs nothing, as it would in promiscuous mode.

use embassy_stm32::pac;
use vrrp_embassy::mac_filter::synopsys_registers;
use vrrp_embassy::vrrp_core::Family;

/// Sets address 1 to 00:00:5e:00:01:\*, and address 2 to 00:00:5e:00:02:\*.
pub(crate) fn let_virtual_macs_in() {
    let mac = pac::ETH.ethernet_mac();
    for (number, family) in [Family::Ipv4, Family::Ipv6].into_iter().enumerate() {
        let registers = synopsys_registers(family);
        // The low register last: the write to it has the controller take both.
        mac.macahr(number).write(|w| w.0 = registers.high);
        mac.macalr(number).write(|w| w.0 = registers.low);
    }
}
