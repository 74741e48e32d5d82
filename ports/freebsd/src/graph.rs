//! The netgraph nodes that let several MACs live on one interface.
//!
//! ```text
//!            em0 (ng_ether)                 vr4.3.7 (ng_eiface), one for each virtual router
//!       lower |        | upper                   | ether, joined only while Active
//!             |        |                         |
//!     uplink1 +--------+ link0 ------------ link8+   vrrp_3 (ng_bridge)
//! ```
//!
//! The bridge's first hook is an uplink, which it learns nothing from, and frames for a MAC that it
//! does not know come in to nobody. Its table is a fixed one: the MACs of this host are at `link0`,
//! a virtual MAC at the link of its interface for as long as that is joined. So the host sees no
//! frame more than without the bridge, and two routers that use one virtual MAC for a moment move
//! nothing and shut no link.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use vrrp_core::{MacAddr, VrKey};
use vrrp_host::PlatformError;
use vrrp_port_kit::{KernelIf, explain};

use crate::abi::*;
use crate::names;
use crate::netgraph::{self, Hook};
use crate::sys;

/// Where the wire is joined to a bridge, and where the host is.
const WIRE: &str = "uplink1";
const HOST: &str = "link0";
/// The hook of our own node that a new bridge hangs on for a moment, and the bridge's.
const BIRTH: &str = "vr";
const NOBODY: &str = "uplink2";
/// How often to look whether a node or an interface that ends is gone, and how long to wait between.
pub(crate) const ENDING_LOOKS: u32 = 50;
pub(crate) const ENDING: Duration = Duration::from_millis(10);
/// How long an answer may take.
const ANSWER_MS: i32 = 2_000;

/// The modules that a virtual MAC needs.
const MODULES: [&str; 4] = ["ng_socket", "ng_ether", "ng_bridge", "ng_eiface"];

/// The line to netgraph.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    socket: Option<OwnedFd>,
    token: u32,
}

/// The bridge on an interface.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) node: String,
    /// The node of the interface.
    parent: String,
    /// The MACs of this host that it knows.
    known: BTreeSet<MacAddr>,
}

impl Graph {
    /// Opens the line, loading the modules that are missing.
    pub(crate) fn open(&mut self) -> Result<(), PlatformError> {
        if self.socket.is_some() {
            return Ok(());
        }
        let mut missing = Vec::new();
        let mut reason = None;
        for module in MODULES.into_iter().filter(|m| !sys::has_module(m)) {
            if let Err(error) = sys::load_module(module) {
                missing.push(module);
                reason = Some(error);
            }
        }
        if let Some(error) = reason {
            return Err(missing_modules(&missing, error));
        }
        self.open_loaded()
            .map_err(|error| PlatformError::new("open a netgraph socket", error))
    }

    fn open_loaded(&mut self) -> io::Result<()> {
        let socket = sys::socket(PF_NETGRAPH, libc::SOCK_DGRAM, NG_CONTROL)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Opens the line if that takes no module: for cleaning up. `false`: there is nothing to clean.
    pub(crate) fn open_if_there(&mut self) -> bool {
        self.socket.is_some() || sys::has_module(MODULES[0]) && self.open_loaded().is_ok()
    }

    /// Sends a message to the node at `path` and waits until it is carried out.
    fn tell(&mut self, path: &str, message: impl FnOnce(u32) -> Vec<u8>) -> io::Result<()> {
        self.token = self.token.wrapping_add(1);
        let message = message(self.token);
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        sys::send_to_node(socket, &message, path)
    }

    /// Sends a message that is answered, and gives the argument of the answer.
    fn ask(&mut self, path: &str, message: impl FnOnce(u32) -> Vec<u8>) -> io::Result<Vec<u8>> {
        self.tell(path, message)?;
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut buffer = vec![0; 128 * 1024];
        while sys::wait_readable(socket.as_raw_fd(), ANSWER_MS)? {
            let len = sys::read(socket, &mut buffer)?;
            let octets = buffer.get(..len).unwrap_or_default();
            if let Some(argument) = netgraph::answer(octets, self.token) {
                return Ok(argument.to_vec());
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// The type of the node called `name`. `None`: there is none.
    pub(crate) fn node_type(&mut self, name: &str) -> io::Result<Option<String>> {
        match self.ask(&format!("{name}:"), netgraph::node_info) {
            Ok(argument) => Ok(Some(netgraph::node_type(&argument))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends the node called `name`. One that is gone is as good.
    pub(crate) fn shutdown(&mut self, name: &str) -> io::Result<()> {
        match self.tell(&format!("{name}:"), netgraph::shutdown) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Puts a bridge between an interface and its stack. `ours`: one of its name is ours, and not
    /// that of another vrrpd.
    pub(crate) fn insert_bridge(
        &mut self,
        device: &str,
        index: KernelIf,
        ours: bool,
    ) -> Result<Bridge, PlatformError> {
        let what = format!("put a netgraph bridge on {device}");
        let failed = |error| PlatformError::new(what.clone(), error);
        let (parent, node) = (node_of(device), names::bridge(index));
        let mut joined = match self.joined(&parent) {
            Ok(joined) => joined,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let hint = "the interface has no netgraph node; if it was there before ng_ether was \
                            loaded, put ng_ether_load=\"YES\" into /boot/loader.conf, or use \
                            useVMAC = no or replace";
                return Err(failed(explain(error, hint)));
            }
            Err(error) => return Err(failed(error)),
        };
        if ours && joined.iter().all(|hook| hook.is_joined_to(&node)) {
            // Our own, that was lost sight of when somebody took it apart: it is made anew.
            self.shutdown(&node).map_err(failed)?;
            joined = self.wait_parted(&parent, &node).map_err(failed)?;
        }
        if let Some(hook) = joined.first() {
            let hint = format!(
                "its netgraph hook {} is joined to the {} node '{}' already; use useVMAC = no or replace",
                hook.name, hook.peer_type, hook.peer
            );
            let error = io::Error::from_raw_os_error(libc::EISCONN);
            return Err(failed(explain(error, &hint)));
        }
        let bridge = Bridge {
            node,
            parent,
            known: BTreeSet::new(),
        };
        self.build(bridge).map_err(failed)
    }

    /// The hooks of an interface's node that a bridge needs, where they are joined to something.
    fn joined(&mut self, parent: &str) -> io::Result<Vec<Hook>> {
        let argument = self.ask(&format!("{parent}:"), netgraph::list_hooks)?;
        let mut hooks = netgraph::hooks(&argument);
        hooks.retain(|hook| ["lower", "upper"].contains(&&*hook.name));
        Ok(hooks)
    }

    /// Waits until an interface is parted from a bridge that ends, and gives what it is joined to
    /// then. The kernel removes one hook after another, and tells of the first when the others are
    /// still there.
    fn wait_parted(&mut self, parent: &str, node: &str) -> io::Result<Vec<Hook>> {
        let mut joined = self.joined(parent)?;
        for _ in 0..ENDING_LOOKS {
            if !joined.iter().any(|hook| hook.is_joined_to(node)) {
                break;
            }
            std::thread::sleep(ENDING);
            joined = self.joined(parent)?;
        }
        Ok(joined)
    }

    fn build(&mut self, bridge: Bridge) -> io::Result<Bridge> {
        let parent = format!("{}:", bridge.parent);
        let node = format!("{}:", bridge.node);
        let birth = format!(".:{BIRTH}");
        // Until it has a name it hangs on us and ends with us. The first hook decides what becomes
        // of frames for a MAC that is not known.
        self.tell(".:", |t| netgraph::make_peer(t, "bridge", BIRTH, NOBODY))?;
        let rest = (|| {
            self.tell(&birth, |t| netgraph::name(t, &bridge.node))?;
            self.tell(&node, netgraph::fixed_table)?;
            self.tell(&parent, |t| netgraph::set_auto_source(t, false))?;
            self.tell(&parent, |t| netgraph::connect(t, &node, "lower", WIRE))?;
            // It ceases to be promiscuous by itself when it loses its last hook.
            self.tell(&parent, |t| netgraph::set_promiscuous(t, true))?;
            self.tell(&parent, |t| netgraph::connect(t, &node, "upper", HOST))?;
            self.tell(".:", |t| netgraph::remove_hook(t, BIRTH))
        })();
        if let Err(error) = rest {
            // Better no bridge than one that keeps the host from its network.
            let _ = self.tell(&birth, netgraph::shutdown);
            return Err(error);
        }
        Ok(bridge)
    }

    /// Tells a bridge which MACs are this host's.
    pub(crate) fn know(&mut self, bridge: &mut Bridge, macs: BTreeSet<MacAddr>) -> io::Result<()> {
        let node = format!("{}:", bridge.node);
        for mac in macs {
            if !bridge.known.contains(&mac) {
                self.tell(&node, |t| netgraph::put_host(t, mac, HOST))?;
                bridge.known.insert(mac);
            }
        }
        Ok(())
    }

    /// The hooks of a bridge.
    pub(crate) fn hooks_of(&mut self, bridge: &str) -> io::Result<Vec<Hook>> {
        let argument = self.ask(&format!("{bridge}:"), netgraph::list_hooks)?;
        Ok(netgraph::hooks(&argument))
    }

    /// Whether the node of an interface replaces the source of what it sends, which it must not do
    /// with a bridge on it.
    pub(crate) fn auto_source(&mut self, device: &str) -> io::Result<bool> {
        let answer = self.ask(&format!("{}:", node_of(device)), netgraph::auto_source)?;
        Ok(netgraph::number(&answer) != 0)
    }

    /// Lets it do so again.
    pub(crate) fn restore_auto_source(&mut self, device: &str) -> io::Result<()> {
        let parent = format!("{}:", node_of(device));
        self.tell(&parent, |t| netgraph::set_auto_source(t, true))
    }

    /// Makes an interface with the MAC of a virtual router, joined to nothing, and gives the name that
    /// the kernel gave it. It is born at its place on the bridge, by which it is known before it has
    /// a name; it is down.
    pub(crate) fn make_interface(
        &mut self,
        bridge: &str,
        key: VrKey,
        node: &str,
    ) -> io::Result<String> {
        let (bridge, hook) = (format!("{bridge}:"), names::hook(key.family, key.vrid));
        let birth = format!("{bridge}{hook}");
        self.tell(&bridge, |t| {
            netgraph::make_peer(t, "eiface", &hook, "ether")
        })?;
        let made = (|| {
            self.tell(&birth, |t| netgraph::name(t, node))?;
            let name = netgraph::string(&self.ask(&birth, netgraph::interface_name)?);
            self.tell(&birth, |t| netgraph::set_mac(t, key.virtual_mac()))?;
            Ok(name)
        })();
        if made.is_err() {
            let _ = self.tell(&birth, netgraph::shutdown);
            return made;
        }
        self.tell(&bridge, |t| netgraph::remove_hook(t, &hook))?;
        made
    }

    /// Removes the interfaces that are being born at `places` on a bridge.
    pub(crate) fn remove_unborn(&mut self, bridge: &str, places: &[String]) -> io::Result<()> {
        for hook in self.hooks_of(bridge)? {
            // A node with a name of ours is known by it.
            let unborn = hook.peer_type == "eiface" && !hook.peer.starts_with("vrrp");
            if unborn && places.contains(&hook.name) {
                self.tell(&format!("{bridge}:{}", hook.name), netgraph::shutdown)?;
            }
        }
        Ok(())
    }

    /// Joins an interface to the bridge, so that frames to its MAC reach it.
    pub(crate) fn join(&mut self, bridge: &str, key: VrKey, node: &str) -> io::Result<()> {
        let (bridge, hook) = (format!("{bridge}:"), names::hook(key.family, key.vrid));
        let node = format!("{node}:");
        match self.tell(&bridge, |t| netgraph::connect(t, &node, &hook, "ether")) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EISCONN | libc::EEXIST)) => {}
            other => other?,
        }
        self.tell(&bridge, |t| netgraph::put_host(t, key.virtual_mac(), &hook))
    }

    /// Parts an interface from the bridge, which forgets its MAC.
    pub(crate) fn part(&mut self, bridge: &str, key: VrKey) -> io::Result<()> {
        let hook = names::hook(key.family, key.vrid);
        match self.tell(&format!("{bridge}:"), |t| netgraph::remove_hook(t, &hook)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

fn missing_modules(modules: &[&str], error: io::Error) -> PlatformError {
    let names = modules.join(", ");
    let what = format!("load what a virtual MAC needs of the kernel, {names}");
    let jailed = sys::sysctl_number(c"security.jail.jailed").unwrap_or(0) != 0;
    let level = sys::sysctl_number(c"kern.securelevel").unwrap_or(-1);
    // With -n one that came with another is no error.
    let command = format!("kldload -n {}", modules.join(" "));
    let hint = if jailed {
        format!("a jail cannot: run \"{command}\" on the host, or use useVMAC = no")
    } else if level > 0 {
        let lines = modules.iter().map(|m| format!("{m}_load=\"YES\""));
        let lines = lines.collect::<Vec<_>>().join(", ");
        format!(
            "the securelevel is {level}: put {lines} into /boot/loader.conf and reboot, or use \
             useVMAC = no"
        )
    } else {
        format!("try \"{command}\", or use useVMAC = no")
    };
    PlatformError::new(what, explain(error, &hint))
}

/// The name of the node of an interface.
fn node_of(device: &str) -> String {
    device.replace(['.', ':'], "_")
}

/// Whether a bridge with these hooks joins the wire and the host.
pub(crate) fn is_whole(hooks: &[Hook]) -> bool {
    [WIRE, HOST]
        .iter()
        .all(|end| hooks.iter().any(|hook| hook.name == *end))
}
