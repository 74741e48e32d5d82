//! Two processes instead of one, where a platform supports it: that which reads what strangers send
//! has no rights, and that which has the rights reads no more than requests of the other, and
//! compares them with the configuration.
//!
//! ```text
//!                     the network, control socket
//!                                |
//!   Keeper  <--- Line --->  Daemon with Helper      reload, signals, what scripts are told
//!   Served  <------------>  Platform                addresses, MACs, descriptors
//!           <------------   log lines
//!      |
//!   scripts
//! ```

mod helper;
mod keeper;
mod line;
#[cfg(test)]
mod tests;
mod words;

pub use helper::Helper;
pub use keeper::{Keeper, Served, Turn};

#[cfg(target_os = "freebsd")]
impl Served for vrrp_freebsd::Parent {
    fn wait(
        &mut self,
        others: &mut [vrrp_host::Waited],
        timeout: Option<std::time::Duration>,
    ) -> std::io::Result<bool> {
        vrrp_freebsd::Parent::wait(self, others, timeout)
    }

    fn facts(&self) -> vrrp_host::HostFacts {
        vrrp_freebsd::Parent::facts(self)
    }

    fn allow(&mut self, config: vrrp_host::HostConfig) {
        vrrp_freebsd::Parent::allow(self, config);
    }

    fn adopt(&mut self) {
        vrrp_freebsd::Parent::adopt(self);
    }

    fn handle(&mut self, trouble: &mut dyn FnMut(std::io::Error)) -> std::io::Result<()> {
        vrrp_freebsd::Parent::handle(self, trouble)
    }
}
