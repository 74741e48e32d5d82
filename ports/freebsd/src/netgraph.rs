//! Messages to and from netgraph(4) nodes, as octets.

use vrrp_core::MacAddr;

use crate::abi::*;
use crate::request::{put, read_u32};

/// A message without its argument: the cookie of the node's type, and the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    cookie: u32,
    command: u32,
}

const fn generic(command: u32) -> Command {
    Command {
        cookie: NGM_GENERIC_COOKIE,
        command,
    }
}

const fn ether(command: u32) -> Command {
    Command {
        cookie: NGM_ETHER_COOKIE,
        command,
    }
}

const fn bridge(command: u32) -> Command {
    Command {
        cookie: NGM_BRIDGE_COOKIE,
        command,
    }
}

const fn eiface(command: u32) -> Command {
    Command {
        cookie: NGM_EIFACE_COOKIE,
        command,
    }
}

/// A message of a token by which its answer is known.
fn message(token: u32, command: Command, argument: &[u8]) -> Vec<u8> {
    let mut message = vec![0; NG_DATA];
    message[0] = NG_VERSION;
    put(
        &mut message,
        NG_ARGLEN,
        &(argument.len() as u32).to_ne_bytes(),
    );
    put(&mut message, NG_CMD, &command.command.to_ne_bytes());
    put(&mut message, NG_TOKEN, &token.to_ne_bytes());
    put(&mut message, NG_COOKIE, &command.cookie.to_ne_bytes());
    message.extend_from_slice(argument);
    message
}

/// Makes a node of a type and joins it to the one that is addressed.
pub(crate) fn make_peer(token: u32, kind: &str, our_hook: &str, its_hook: &str) -> Vec<u8> {
    let mut argument = [0; NGM_MKPEER_LEN];
    text(&mut argument, 0, NG_TYPE_LEN, kind);
    text(&mut argument, NG_TYPE_LEN, NG_HOOK_LEN, our_hook);
    text(
        &mut argument,
        NG_TYPE_LEN + NG_HOOK_LEN,
        NG_HOOK_LEN,
        its_hook,
    );
    message(token, generic(NGM_MKPEER), &argument)
}

/// Joins the node that is addressed to that at `path`.
pub(crate) fn connect(token: u32, path: &str, our_hook: &str, its_hook: &str) -> Vec<u8> {
    let mut argument = [0; NGM_CONNECT_LEN];
    text(&mut argument, 0, NG_PATH_LEN, path);
    text(&mut argument, NG_PATH_LEN, NG_HOOK_LEN, our_hook);
    text(
        &mut argument,
        NG_PATH_LEN + NG_HOOK_LEN,
        NG_HOOK_LEN,
        its_hook,
    );
    message(token, generic(NGM_CONNECT), &argument)
}

/// Gives the node a name.
pub(crate) fn name(token: u32, name: &str) -> Vec<u8> {
    let mut argument = [0; NGM_NAME_LEN];
    text(&mut argument, 0, NG_NAME_LEN, name);
    message(token, generic(NGM_NAME), &argument)
}

/// Takes a hook from the node.
pub(crate) fn remove_hook(token: u32, hook: &str) -> Vec<u8> {
    let mut argument = [0; NGM_RMHOOK_LEN];
    text(&mut argument, 0, NG_HOOK_LEN, hook);
    message(token, generic(NGM_RMHOOK), &argument)
}

/// Ends the node.
pub(crate) fn shutdown(token: u32) -> Vec<u8> {
    message(token, generic(NGM_SHUTDOWN), &[])
}

/// Asks for the hooks of the node, which [`hooks`] reads.
pub(crate) fn list_hooks(token: u32) -> Vec<u8> {
    message(token, generic(NGM_LISTHOOKS), &[])
}

/// Asks what the node is, which [`node_type`] reads.
pub(crate) fn node_info(token: u32) -> Vec<u8> {
    message(token, generic(NGM_NODEINFO), &[])
}

/// Whether the interface takes in frames for every MAC.
pub(crate) fn set_promiscuous(token: u32, on: bool) -> Vec<u8> {
    message(
        token,
        ether(NGM_ETHER_SET_PROMISC),
        &u32::from(on).to_ne_bytes(),
    )
}

/// Whether frames leave with the MAC of the interface whatever they were given.
pub(crate) fn set_auto_source(token: u32, on: bool) -> Vec<u8> {
    message(
        token,
        ether(NGM_ETHER_SET_AUTOSRC),
        &u32::from(on).to_ne_bytes(),
    )
}

/// Asks for what [`set_auto_source`] sets, which [`number`] reads.
pub(crate) fn auto_source(token: u32) -> Vec<u8> {
    message(token, ether(NGM_ETHER_GET_AUTOSRC), &[])
}

/// Makes a bridge's table a fixed one: what is in it stays where it is put, however old it grows
/// and wherever frames with that MAC come from, and no link is shut for it.
pub(crate) fn fixed_table(token: u32) -> Vec<u8> {
    let mut argument = [0; NG_BRIDGE_CONFIG_LEN];
    put(&mut argument, NG_BRIDGE_LOOP_TIMEOUT, &0u32.to_ne_bytes());
    put(
        &mut argument,
        NG_BRIDGE_MAX_STALENESS,
        &u32::MAX.to_ne_bytes(),
    );
    put(
        &mut argument,
        NG_BRIDGE_MIN_STABLE_AGE,
        &u32::MAX.to_ne_bytes(),
    );
    message(token, bridge(NGM_BRIDGE_SET_CONFIG), &argument)
}

/// Puts a MAC into a bridge's table, to be found at `hook`.
pub(crate) fn put_host(token: u32, mac: MacAddr, hook: &str) -> Vec<u8> {
    let mut argument = [0; NG_BRIDGE_MOVE_HOST_LEN];
    put(&mut argument, 0, &mac.0);
    text(&mut argument, NG_BRIDGE_MOVE_HOST_HOOK, NG_HOOK_LEN, hook);
    message(token, bridge(NGM_BRIDGE_MOVE_HOST), &argument)
}

/// Asks for the name of the interface of an eiface node, which [`string`] reads.
pub(crate) fn interface_name(token: u32) -> Vec<u8> {
    message(token, eiface(NGM_EIFACE_GET_IFNAME), &[])
}

/// Sets the MAC of the interface of an eiface node.
pub(crate) fn set_mac(token: u32, mac: MacAddr) -> Vec<u8> {
    message(token, eiface(NGM_EIFACE_SET), &mac.0)
}

/// The argument of an answer to the message with `token`. `None`: it is something else.
pub(crate) fn answer(octets: &[u8], token: u32) -> Option<&[u8]> {
    let response = read_u32(octets, NG_FLAGS) & NGF_RESP != 0;
    if octets.first() != Some(&NG_VERSION) || !response || read_u32(octets, NG_TOKEN) != token {
        return None;
    }
    let len = read_u32(octets, NG_ARGLEN) as usize;
    octets.get(NG_DATA..)?.get(..len)
}

/// The text in an answer, or at the beginning of a part of one.
pub(crate) fn string(argument: &[u8]) -> String {
    let end = argument.iter().position(|&o| o == 0);
    let text = argument.get(..end.unwrap_or(argument.len()));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

/// The number in an answer.
pub(crate) fn number(argument: &[u8]) -> u32 {
    read_u32(argument, 0)
}

/// The type of a node, in the answer to [`node_info`].
pub(crate) fn node_type(argument: &[u8]) -> String {
    part(argument, NODEINFO_TYPE, NG_TYPE_LEN)
}

/// The type of the node that a hook has at its other end when the true one has gone.
const DEAD: &str = "dead";

/// A hook of a node and who is at its other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) name: String,
    pub(crate) peer: String,
    pub(crate) peer_type: String,
}

impl Hook {
    /// Whether it is joined to `node`, or still there though the node at its other end is not.
    pub(crate) fn is_joined_to(&self, node: &str) -> bool {
        self.peer == node || self.peer_type == DEAD
    }
}

/// The hooks in the answer to [`list_hooks`].
pub(crate) fn hooks(argument: &[u8]) -> Vec<Hook> {
    let links = argument.get(NODEINFO_LEN..).unwrap_or_default();
    links
        .chunks_exact(LINKINFO_LEN)
        .map(|link| Hook {
            name: part(link, 0, NG_HOOK_LEN),
            peer: part(link, LINKINFO_NODE, NG_NAME_LEN),
            peer_type: part(link, LINKINFO_NODE + NODEINFO_TYPE, NG_TYPE_LEN),
        })
        .collect()
}

fn part(octets: &[u8], at: usize, len: usize) -> String {
    string(octets.get(at..at + len).unwrap_or_default())
}

/// Writes a text that ends with a zero within its `room`.
fn text(to: &mut [u8], at: usize, room: usize, text: &str) {
    let most = text.len().min(room - 1);
    put(to, at, text.as_bytes().get(..most).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_header_and_an_argument() {
        let octets = set_promiscuous(7, true);
        let mut golden = vec![8, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0];
        golden.extend(917_786_906u32.to_le_bytes());
        golden.resize(56, 0);
        golden.extend([1, 0, 0, 0]);
        assert_eq!(octets, golden);
    }

    #[test]
    fn peers_and_connections_are_fields_of_fixed_length() {
        let octets = make_peer(1, "bridge", "lower", "uplink1");
        assert_eq!(octets.len(), 56 + 96);
        assert_eq!(octets[56..63], *b"bridge\0");
        assert_eq!(octets[88..94], *b"lower\0");
        assert_eq!(octets[120..128], *b"uplink1\0");
        let octets = connect(1, "vrrp_3:", "upper", "link0");
        assert_eq!(octets.len(), 56 + 576);
        assert_eq!(octets[568..574], *b"upper\0");
        assert_eq!(octets[600..606], *b"link0\0");
        let octets = put_host(1, MacAddr([0, 0, 0x5e, 0, 1, 7]), "link8");
        assert_eq!(octets[56..68], *b"\0\0\x5e\0\x01\x07link8\0");
        assert_eq!(octets.len(), 56 + 38);
    }

    #[test]
    fn a_text_too_long_still_ends() {
        let octets = name(1, &"x".repeat(40));
        assert_eq!(octets.len(), 56 + 32);
        assert_eq!((octets[86], octets[87]), (b'x', 0));
    }

    #[test]
    fn an_answer_is_known_by_its_token() {
        let mut octets = message(9, generic(NGM_NODEINFO), b"vrrp_3\0");
        assert_eq!(answer(&octets, 9), None, "not an answer");
        octets[12] = 1;
        assert_eq!(answer(&octets, 9).map(string), Some("vrrp_3".into()));
        assert_eq!(answer(&octets, 8), None);
        octets.truncate(60);
        assert_eq!(answer(&octets, 9), None, "cut short");
    }

    #[test]
    fn hooks_name_their_peers() {
        let mut argument = vec![0; 72];
        for (hook, peer, kind) in [("lower", "vrrp_3", "bridge"), ("upper", "", "tee")] {
            let mut link = vec![0; 136];
            put(&mut link, 0, hook.as_bytes());
            put(&mut link, 64, peer.as_bytes());
            put(&mut link, 96, kind.as_bytes());
            argument.extend(link);
        }
        let mut found = hooks(&argument);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].name.as_str(), found[0].peer.as_str()),
            ("lower", "vrrp_3")
        );
        assert_eq!(found[1].peer_type, "tee");
        assert!(found[0].is_joined_to("vrrp_3") && !found[0].is_joined_to("vrrp_4"));
        assert!(!found[1].is_joined_to("vrrp_3"));
        found[1].peer_type = "dead".into();
        assert!(found[1].is_joined_to("vrrp_3"));
        for cut in 0..argument.len() {
            assert!(hooks(&argument[..cut]).len() <= 1);
        }
    }
}
