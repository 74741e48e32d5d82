//! A router that is heard and refused: what follows, and the remedy by the reason.

use vrrp_control::VirtualRouter;

use super::Finding;

const CLOCKS: &str = "timedatectl, or ntpq -p, on both hosts";

/// The reason why a router is refused now, as in the counters.
fn code<'a>(router: &'a VirtualRouter, address: &str) -> &'a str {
    let peers = router.refused.iter();
    let peers = peers.filter(|peer| peer.address == address);
    let mut reasons = peers.map(|peer| peer.reason.as_str());
    // Three peers are named at most, senders with keys are all.
    let senders = router.auth.iter().flat_map(|auth| &auth.senders);
    let senders = senders.filter(|sender| sender.address == address);
    let mut refusals = senders.filter_map(|sender| sender.refusal.as_deref());
    reasons
        .next()
        .or_else(|| refusals.next())
        .unwrap_or_default()
}

/// The remedy.
fn todo(router: &VirtualRouter, address: &str, word: &str) -> String {
    let auth = router.auth.as_ref();
    let is_monotonic = auth.is_some_and(|auth| auth.anti_replay == "monotonic");
    match code(router, address) {
        "auth-invalid-hmac" => {
            "compare the key files (keyfile) of both hosts, as by sha256sum: the same id has to be the same key".into()
        }
        "auth-unknown-key" => format!(
            "compare keyfile and activekey of both hosts; vrrpctl auth {word} has the ids here"
        ),
        "auth-stale" => CLOCKS.into(),
        "auth-replay" if is_monotonic => format!(
            "vrrpctl status on {address}: has it lost its boot count? See vrrpd_auth(7), Clocks"
        ),
        "auth-replay" => CLOCKS.into(),
        "auth-missing" => format!("auth = hmac on {address}, or authmode = permissive here until then"),
        "authentication-trailer" => "auth = hmac here, with the key of that host (keyfile)".into(),
        _ => "vrrpctl who; compare vrrpd.conf of both".into(),
    }
}

/// A router that is heard and refused. `word`: the name of the virtual router for commands.
pub(super) fn finding(router: &VirtualRouter, address: &str, why: &str, word: &str) -> Finding {
    let held_by = router
        .auth
        .as_ref()
        .and_then(|auth| auth.held_by.as_deref());
    let matters = match held_by == Some(address) {
        true => {
            "Each host refuses the other. This one takes over from nobody while it hears that one."
        }
        false => "Neither host knows the other: both become master.",
    };
    Finding {
        id: "refused",
        about: String::new(),
        found: format!("{address} is heard and refused: {why}"),
        matters: matters.to_owned(),
        todo: todo(router, address, word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{Auth, AuthSender, RefusedPeer};

    fn by(reason: &str) -> VirtualRouter {
        VirtualRouter {
            refused: vec![RefusedPeer {
                address: "10.0.0.3".into(),
                reason: reason.into(),
            }],
            ..VirtualRouter::default()
        }
    }

    #[test]
    fn the_remedy_fits_the_reason() {
        for (reason, part) in [
            ("auth-invalid-hmac", "key files"),
            ("auth-unknown-key", "vrrpctl auth web"),
            ("auth-stale", "timedatectl"),
            ("auth-replay", "timedatectl"),
            ("auth-missing", "auth = hmac on 10.0.0.3"),
            ("authentication-trailer", "auth = hmac here"),
            ("version", "compare vrrpd.conf"),
        ] {
            let one = finding(&by(reason), "10.0.0.3", "a reason", "web");
            assert!(one.todo.contains(part), "{reason}: {}", one.todo);
            assert!(one.matters.contains("both become master"));
        }
        let other = finding(&by("auth-stale"), "10.0.0.4", "a reason", "web");
        assert!(other.todo.contains("vrrpd.conf"), "{}", other.todo);
    }

    #[test]
    fn a_host_that_stays_backup_for_its_clock_becomes_no_master() {
        let held = VirtualRouter {
            auth: Some(Auth {
                held_by: Some("10.0.0.3".into()),
                senders: vec![AuthSender {
                    address: "10.0.0.3".into(),
                    refusal: Some("auth-stale".into()),
                    ..AuthSender::default()
                }],
                ..Auth::default()
            }),
            ..VirtualRouter::default()
        };
        let one = finding(&held, "10.0.0.3", "a reason", "web");
        assert!(
            one.matters.contains("takes over from nobody"),
            "{}",
            one.matters
        );
        assert_eq!(one.todo, CLOCKS);
    }
}
