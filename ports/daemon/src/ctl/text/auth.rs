//! The answer to `auth`: the signatures of each virtual router that has keys.

use std::fmt::Write as _;

use vrrp_control::{Auth, AuthSender, Status};
use vrrp_host::wording::ago;

use super::name;

/// The signatures of each virtual router that has keys.
pub fn auth(status: &Status) -> String {
    let mut out = String::new();
    for router in &status.virtual_routers {
        let Some(auth) = &router.auth else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        let named = name(
            router.name.as_deref(),
            router.vrid,
            &router.interface,
            router.family,
        );
        let keys: Vec<String> = auth.keys.iter().map(u8::to_string).collect();
        let window = match auth.anti_replay.as_str() {
            "time" => format!(", time window {} s", auth.window_s),
            other => format!(", {other}"),
        };
        let _ = writeln!(
            out,
            "{named}: {}, key {} of {}{window}",
            auth.mode,
            auth.active_key,
            keys.join(", ")
        );
        let mut line = |name: &str, text: String| {
            let _ = writeln!(out, "  {name:<10} {text}");
        };
        if let Some(peer) = &auth.held_by {
            line(
                "clock",
                format!(
                    "{peer} signs by another clock, and ours is not known to be right: it stays backup"
                ),
            );
        } else if auth.waits_for_clock {
            line("clock", "not known to be right".into());
        }
        if auth.senders.is_empty() {
            line("senders", "none was heard since it has keys".into());
        }
        for sender in &auth.senders {
            line("sender", sender_line(sender));
        }
        if !auth.unheard.is_empty() {
            line("unheard", auth.unheard.join(", "));
        }
        line("ready", readiness(auth));
    }
    if out.is_empty() {
        out.push_str("no virtual router has keys (auth = hmac)\n");
    }
    out
}

pub(super) fn sender_line(sender: &AuthSender) -> String {
    let mut text = format!("{} ", sender.address);
    text += match sender.signed {
        true => "signed",
        false => "bare",
    };
    // A key and a clock are those of the last signature that was right.
    if let Some(id) = sender.key_id.filter(|_| sender.signed) {
        text += &format!(", key {id}");
    }
    if let Some(skew) = sender.skew_s.filter(|_| sender.signed) {
        text += &match skew {
            0 => ", same clock".to_owned(),
            ahead @ 1.. => format!(", clock {ahead} s ahead"),
            behind => format!(", clock {} s behind", behind.unsigned_abs()),
        };
    }
    text += &format!(", heard {}", ago(sender.last_heard_s));
    if let (Some(reason), Some(age)) = (&sender.refusal, sender.refused_s) {
        text += &match age > sender.last_heard_s {
            true => format!(", believed since it was refused {}: {reason}", ago(age)),
            false => format!(", refused: {reason}"),
        };
    }
    text
}

/// Whether a group can refuse whoever does not sign: what `vrrpctl auth` says in one line.
pub(super) fn readiness(auth: &Auth) -> String {
    if !auth.ready {
        return format!("for enforce: no, {}", auth.obstacles.join("; "));
    }
    if auth.senders.is_empty() {
        return "for enforce: unknown, no other router was heard".into();
    }
    let mut text = "for enforce: yes, as far as was heard".to_owned();
    if auth.mode == "receive-only" {
        text += "; this host signs nothing yet";
    }
    text + "; a backup says nothing until it is master"
}
