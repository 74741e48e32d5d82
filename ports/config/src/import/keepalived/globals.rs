//! `global_defs`.

use std::net::IpAddr;

use super::tree::Statement;
use super::{Importer, User};
use crate::diagnostic::found;
use crate::import::report::{At, Verdict};
use crate::import::values::{micros, number, truth};

/// The remark about words that mean nothing to vrrpd.
pub(super) const NO_EFFECT: &str = "no effect here";
const MAIL: &str = "no effect here, vrrpd sends no mail";
const TUNING: &str = "no effect here, it tunes processes, buffers or firewalls of keepalived";
const LVS: &str = "concerns LVS, which stays with keepalived (`keepalived -C`)";

/// Settings that all virtual routers share.
#[derive(Debug)]
pub(super) struct Globals {
    pub(super) version: Option<(u8, At)>,
    pub(super) strict: bool,
    pub(super) script_security: bool,
    /// `script_user`, or the user that keepalived takes on this host without it.
    pub(super) script_user: User,
    /// `vrrp_mcast_group4` and `vrrp_mcast_group6`.
    pub(super) groups: Vec<(IpAddr, At)>,
    pub(super) announce: Announce,
    pub(super) startup_delay: Option<(u64, At)>,
    pub(super) mail: Option<At>,
    pub(super) default_interface: Option<String>,
    pub(super) owner_ignores: Option<At>,
    pub(super) new_checksum: Option<At>,
    pub(super) down_adverts: Option<(i64, At)>,
}

/// The settings of gratuitous ARP and neighbour advertisements.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announce {
    /// Seconds to the second round.
    pub(super) delay: Option<(i64, At)>,
    /// Seconds between further rounds.
    pub(super) refresh: Option<(i64, At)>,
    /// One announcement, and no second round.
    pub(super) once: Option<At>,
}

impl Globals {
    pub(super) fn read(statements: &[Statement], importer: &mut Importer<'_>) -> Self {
        let mut globals = Self {
            version: None,
            strict: false,
            script_security: false,
            script_user: User::new("root", ""),
            groups: Vec::new(),
            announce: Announce::default(),
            startup_delay: None,
            mail: None,
            default_interface: None,
            owner_ignores: None,
            new_checksum: None,
            down_adverts: None,
        };
        let mut user = None;
        for block in statements.iter().filter(|s| s.keyword() == "global_defs") {
            block.settle();
            for statement in block.inner() {
                globals.one(statement, &mut user, importer);
            }
        }
        globals.script_user = user.unwrap_or_else(|| {
            let own = "keepalived_script";
            if importer.surroundings.has_user(own) {
                User::new(own, "")
            } else {
                User::new("root", "")
            }
        });
        globals
    }

    fn one(&mut self, s: &Statement, user: &mut Option<User>, importer: &mut Importer<'_>) {
        let word = s.keyword();
        let at = s.at;
        match word {
            "vrrp_version" => match s.word(1) {
                "2" => self.version = Some((2, at)),
                "3" => self.version = Some((3, at)),
                _ => {
                    return importer.error(
                        s,
                        format!(
                            "vrrp_version: expected 2 or 3, found {}; keepalived takes 2",
                            found(s.word(1))
                        ),
                    );
                }
            },
            "vrrp_strict" => self.strict = true,
            "enable_script_security" => self.script_security = true,
            "script_user" => {
                if s.word(1).is_empty() {
                    return importer.error(s, "script_user has no user");
                }
                *user = Some(User::new(s.word(1), s.word(2)));
            }
            "vrrp_mcast_group4" | "vrrp_mcast_group6" => {
                let Ok(address) = s.word(1).parse::<IpAddr>() else {
                    let text = format!("{word}: expected an address, found {}", found(s.word(1)));
                    return importer.error(s, text);
                };
                self.groups.push((address, at));
            }
            "default_interface" => self.default_interface = Some(s.word(1).to_owned()),
            "vrrp_garp_master_delay" => self.announce.delay = number(s.word(1)).map(|n| (n, at)),
            "vrrp_garp_master_refresh" => {
                self.announce.refresh = number(s.word(1)).map(|n| (n, at))
            }
            "vrrp_min_garp" => {
                let on = s.words.len() < 2 || truth(s.word(1)) == Some(true);
                self.announce.once = on.then_some(at);
            }
            "vrrp_startup_delay" => {
                let Some(micros) = micros(s.word(1)) else {
                    return importer.error(
                        s,
                        format!("{word}: expected seconds, found {}", found(s.word(1))),
                    );
                };
                self.startup_delay = Some((micros, at));
            }
            "vrrp_owner_ignore_adverts" => self.owner_ignores = Some(at),
            "v3_checksum_as_v2" => {
                let on = s.words.len() < 2 || truth(s.word(1)) == Some(true);
                self.new_checksum = on.then_some(at);
            }
            "vrrp_down_timer_adverts" => {
                self.down_adverts = number(s.word(1)).map(|number| (number, at));
            }
            "smtp_alert" | "smtp_alert_vrrp" => {
                let on = s.words.len() < 2 || truth(s.word(1)) == Some(true);
                if !on {
                    return importer.share(s, Verdict::Note, MAIL);
                }
                self.mail = Some(at);
                let text = "vrrpd sends no mail: let notifyscript, or masterscript and the others, send it";
                return importer.lost(s, format!("{word}: {text}"));
            }
            _ => return without_effect(s, importer),
        }
        importer.carried(s);
    }
}

/// Words that have no part in elections.
fn without_effect(s: &Statement, importer: &mut Importer<'_>) {
    let word = s.keyword();
    let lost = Verdict::NotCarriedOver;
    let (verdict, remark) = match word {
        "notification_email"
        | "notification_email_from"
        | "smtp_server"
        | "smtp_helo_name"
        | "smtp_connect_timeout"
        | "smtp_alert_checker"
        | "no_email_faults"
        | "no_checker_emails" => (Verdict::Note, MAIL),
        "router_id"
        | "lvs_id"
        | "process_names"
        | "process_name"
        | "vrrp_process_name"
        | "umask"
        | "random_seed"
        | "include_check"
        | "config_save_dir"
        | "tmp_config_directory"
        | "data_use_instance"
        | "json_version"
        | "reload_check_config"
        | "reload_time_file"
        | "reload_repeat"
        | "reload_file"
        | "state_dump_file"
        | "stats_dump_file"
        | "json_dump_file"
        | "iproute_usr_dir"
        | "iproute_etc_dir"
        | "use_symlink_paths"
        | "set_supplementary_groups"
        | "debug"
        | "log_unknown_vrids"
        | "vmac_prefix"
        | "vmac_addr_prefix"
        | "dbus_no_interface_name"
        | "fifo_write_vrrp_states_on_reload"
        | "vrrp_notify_priority_changes"
        | "rs_init_notifies"
        | "linkbeat_use_polling"
        | "vrrp_iproute_check"
        | "startup_script_timeout"
        | "shutdown_script_timeout"
        | "snmp_socket"
        | "dbus_service_name" => (Verdict::Note, NO_EFFECT),
        "dynamic_interfaces" => (
            Verdict::Note,
            "no effect here, an interface may always come and go",
        ),
        "vrrp_skip_check_adv_addr" => (
            Verdict::Note,
            "no effect here, other addresses in an advertisement are a warning (see addresscheck)",
        ),
        "vrrp_check_unicast_src" => (
            Verdict::Note,
            "no effect here, advertisements are taken from peers alone in any case",
        ),
        "vrrp_lower_prio_no_advert" | "vrrp_higher_prio_send_advert" => (
            Verdict::Note,
            "no effect here, vrrpd answers a lower master as RFC 9568 has it",
        ),
        "vrrp_garp_master_repeat"
        | "vrrp_garp_master_refresh_repeat"
        | "vrrp_garp_lower_prio_delay"
        | "vrrp_garp_lower_prio_repeat"
        | "vrrp_garp_interval"
        | "vrrp_gna_interval"
        | "vrrp_garp_extra_if"
        | "vrrp_vmac_garp_intvl" => (
            Verdict::Note,
            "no effect here, each round of announcements is one (see announcerepeats)",
        ),
        "vrrp_iptables"
        | "vrrp_ipsets"
        | "vrrp_nftables"
        | "nftables"
        | "nftables_priority"
        | "nftables_counters"
        | "nftables_ifindex"
        | "disable_local_igmp"
        | "max_auto_priority"
        | "min_auto_priority_delay"
        | "vrrp_priority"
        | "vrrp_no_swap"
        | "vrrp_rt_priority"
        | "vrrp_cpu_affinity"
        | "vrrp_rlimit_rttime"
        | "vrrp_rlimit_rtime"
        | "bfd_priority"
        | "bfd_no_swap"
        | "bfd_rt_priority"
        | "bfd_cpu_affinity"
        | "bfd_rlimit_rttime"
        | "bfd_rlimit_rtime"
        | "bfd_process_name"
        | "vrrp_netlink_cmd_rcv_bufs"
        | "vrrp_netlink_cmd_rcv_bufs_force"
        | "vrrp_netlink_monitor_rcv_bufs"
        | "vrrp_netlink_monitor_rcv_bufs_force"
        | "process_monitor_rcv_bufs"
        | "process_monitor_rcv_bufs_force"
        | "vrrp_rx_bufs_policy"
        | "vrrp_rx_bufs_multiplier" => (Verdict::Note, TUNING),
        "startup_script" | "shutdown_script" => (
            lost,
            "vrrpd runs no script at its own start or end: give it to the unit, as ExecStartPre= or ExecStopPost=",
        ),
        "vrrp_delay_after_boot" => (
            lost,
            "vrrpd waits no longer after a boot than after a start: see startdelay",
        ),
        "notify_fifo" | "notify_fifo_script" | "vrrp_notify_fifo" | "vrrp_notify_fifo_script" => (
            lost,
            "vrrpd writes no FIFO: use notifyscript, or `vrrpctl events`",
        ),
        "enable_snmp_vrrp"
        | "enable_snmp_keepalived"
        | "enable_snmp_rfc"
        | "enable_snmp_rfcv2"
        | "enable_snmp_rfcv3"
        | "enable_traps" => (
            lost,
            "vrrpd has no SNMP: use its metrics, see vrrpd_metrics(7)",
        ),
        "enable_dbus" => (
            lost,
            "vrrpd has no D-Bus interface: use its control socket, see vrrpd_control(5)",
        ),
        word if word.starts_with("lvs_")
            || word.starts_with("checker_")
            || word.starts_with("nftables_ipvs")
            || word == "enable_snmp_checker"
            || word.starts_with("snmp_") =>
        {
            let verdict = match word {
                "lvs_sync_daemon" => lost,
                _ => Verdict::Note,
            };
            (verdict, LVS)
        }
        _ => {
            let text = format!(
                "keepalived does not know {} in global_defs and passes over it",
                found(word)
            );
            importer.error(s, text);
            return s.settle_all();
        }
    };
    importer.share(s, verdict, remark);
}
