//! keepalived.conf(5).
//!
//! The language is read in steps: [`lines`] gives lines after includes, definitions and conditions,
//! [`words`] takes a line apart, [`tree`] joins lines to statements with blocks. The rest gives the
//! statements their meaning: [`globals`], [`trackers`], [`instance`], [`groups`]. Each statement is
//! marked when it was carried over or reported; one that nobody marked is reported at the end.

mod definitions;
mod glob;
mod globals;
mod groups;
mod instance;
mod lines;
mod programs;
mod servers;
mod trackers;
mod tree;
mod words;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::output::Output;
use super::report::{Report, Verdict};
use super::{Imported, Surroundings};
use crate::diagnostic::found;
use globals::Globals;
use lines::Lines;
use trackers::Trackers;
use tree::Statement;

/// Reads a keepalived.conf and those that it includes, and writes it as `vrrpd.conf`. `id` is the id for
/// lines with `@`; without one it is the first part of the host's name, as with keepalived.
pub fn import(
    file: &Path,
    octets: &[u8],
    id: Option<&str>,
    surroundings: &dyn Surroundings,
) -> Imported {
    let mut report = Report::default();
    let lines = Lines::new(surroundings, &mut report, id).read(file, octets);
    let statements = tree::statements(lines, &mut report);
    let mut importer = Importer {
        surroundings,
        report,
        output: Output::new(),
        taken: HashMap::new(),
    };
    importer.surplus(&statements);
    importer.convert(&statements);
    let Importer {
        mut report,
        mut output,
        ..
    } = importer;
    for statement in &statements {
        statement.each_left(&mut |left| {
            let text = format!("{}: not known to this importer", found(left.keyword()));
            report.lost(left.at, text);
        });
    }
    let name = file.display();
    output.header = vec![
        format!("Made by `vrrpd --import` from {name}; see vrrpd.conf(5) and vrrpd_keepalived(7)."),
        "Lines in remarks are those of that file.".to_owned(),
    ];
    let settled = output.settle(surroundings, &mut report);
    let (findings, carried) = report.finish();
    let virtual_routers = settled.as_ref().map_or(0, |(_, count)| *count);
    Imported {
        text: settled.map(|(text, _)| text),
        findings,
        virtual_routers,
        carried,
    }
}

/// Keywords without a value.
const PLAIN: &[&str] = &[
    "nopreempt",
    "preempt",
    "no_accept",
    "native_ipv6",
    "vmac_xmit_base",
    "dont_track_primary",
    "init_fail",
    "full_command",
    "enable_script_security",
    "vrrp_strict",
];

/// Keywords with one value.
const SINGLE: &[&str] = &[
    "vrrp_instance",
    "vrrp_sync_group",
    "vrrp_script",
    "vrrp_track_process",
    "track_file",
    "vrrp_track_file",
    "virtual_router_id",
    "interface",
    "priority",
    "state",
    "version",
    "advert_int",
    "auth_type",
    "auth_pass",
    "mcast_src_ip",
    "unicast_src_ip",
    "mcast_dst_ip",
    "unicast_ttl",
    "preempt_delay",
    "garp_master_delay",
    "garp_master_refresh",
    "strict_mode",
    "interval",
    "timeout",
    "fall",
    "rise",
    "quorum",
    "delay",
    "fork_delay",
    "terminate_delay",
    "router_id",
    "vrrp_version",
    "default_interface",
    "vrrp_startup_delay",
    "vrrp_mcast_group4",
    "vrrp_mcast_group6",
    "vrrp_garp_master_delay",
    "vrrp_garp_master_refresh",
];

/// The state of one import.
struct Importer<'a> {
    surroundings: &'a dyn Surroundings,
    report: Report,
    output: Output,
    /// The virtual routers that are written, by VRID, interface and whether their family is IPv6.
    taken: HashMap<(i64, String, bool), String>,
}

impl Importer<'_> {
    fn convert(&mut self, statements: &[Statement]) {
        let globals = Globals::read(statements, self);
        let mut trackers = Trackers::read(statements, self);
        let mut names: HashSet<&str> = HashSet::new();
        for statement in statements {
            match statement.keyword() {
                "vrrp_instance" => {
                    let name = statement.word(1);
                    if !names.insert(name) {
                        let text = format!(
                            "vrrp_instance {} is there already; keepalived passes over this one",
                            found(name)
                        );
                        self.report.error(statement.at, text);
                        statement.settle_all();
                        continue;
                    }
                    instance::convert(statement, &globals, &mut trackers, self);
                }
                "vrrp_sync_group" | "global_defs" | "vrrp_script" | "vrrp_track_process"
                | "track_file" | "vrrp_track_file" => {}
                _ => self.other(statement),
            }
        }
        groups::convert(statements, &globals, &mut trackers, self);
        trackers.finish(self);
        let is_server = |s: &&Statement| s.keyword() == "virtual_server";
        let virtual_servers: Vec<&Statement> = statements.iter().filter(is_server).collect();
        servers::propose(&virtual_servers, self);
        self.scripts_of_others(&globals);
    }

    /// Reports words after the value of keywords that have one value.
    fn surplus(&mut self, statements: &[Statement]) {
        for s in statements {
            let keyword = s.keyword();
            let most = if PLAIN.contains(&keyword) {
                1
            } else if SINGLE.contains(&keyword) {
                2
            } else {
                usize::MAX
            };
            if s.words.len() > most {
                let text = match keyword {
                    // It may be the rest of a password.
                    "auth_pass" => {
                        "auth_pass: keepalived passes over the words after the first".to_owned()
                    }
                    _ => {
                        let words = s.words.get(most..).unwrap_or_default().join(" ");
                        format!("{keyword}: keepalived passes over {}", found(&words))
                    }
                };
                self.report.error(s.at, text);
            }
            let is_value =
                most < usize::MAX && !keyword.starts_with("vrrp_") && keyword != "track_file";
            if is_value && s.block.is_some() {
                let text = format!(
                    "{keyword} has no block; keepalived passes over `{{`, and takes its end for that of the block around it"
                );
                self.report.error(s.at, text);
                s.inner().iter().for_each(Statement::settle_all);
            }
            self.surplus(s.inner());
        }
    }

    /// keepalived without `enable_script_security` runs scripts that other users could replace.
    fn scripts_of_others(&mut self, globals: &Globals) {
        let is_script = |key: &&str| self.output.routers.iter().any(|s| s.get(key).is_some());
        let keys = [
            "masterscript",
            "backupscript",
            "faultscript",
            "stopscript",
            "reclaimscript",
            "notifyscript",
        ];
        let commands = self.output.checks.iter();
        let mut commands = commands.filter(|check| check.get("command").is_some());
        let runs = keys.iter().any(is_script) || commands.next().is_some();
        let serves = !self.output.routers.is_empty();
        if serves && runs && !globals.script_security {
            self.output
                .global
                .put("scriptsecurity", "warn", Default::default());
            let text = "enable_script_security is not set: scripts that other users could replace are run, as by keepalived (scriptsecurity = warn)";
            self.report.note(Default::default(), text);
        }
    }

    /// A block or word of the top level that has nothing to do with virtual routers.
    fn other(&mut self, statement: &Statement) {
        let word = statement.keyword();
        let (verdict, remark) = match word {
            "virtual_server" | "virtual_server_group" | "SSL" => (
                Verdict::NotCarriedOver,
                "LVS stays with keepalived: run it with its file as `keepalived -C` (checkers alone) beside vrrpd",
            ),
            "static_ipaddress" | "static_routes" | "static_rules" | "track_group" => (
                Verdict::NotCarriedOver,
                "belongs to the network configuration of the host, vrrpd has no static addresses, routes or rules",
            ),
            "bfd_instance" => (
                Verdict::NotCarriedOver,
                "vrrpd has no BFD; a check with ping, or a BFD daemon and a check with command, can stand for it",
            ),
            "interface_up_down_delays" => (
                Verdict::NotCarriedOver,
                "vrrpd acts at once when an interface goes down or comes up; see startdelay for the latter",
            ),
            "net_namespace" | "net_namespace_ipvs" => (
                Verdict::NotCarriedOver,
                "start vrrpd in the network namespace, as by NetworkNamespacePath= of its unit",
            ),
            "garp_group"
            | "linkbeat_interfaces"
            | "linkbeat_use_polling"
            | "instance"
            | "namespace_with_ipsets"
            | "use_pid_dir"
            | "child_wait_time" => (Verdict::Note, globals::NO_EFFECT),
            "" => return statement.settle_all(),
            _ => {
                let text = format!(
                    "keepalived does not know {} here and passes over it",
                    found(word)
                );
                self.report.error(statement.at, text);
                return statement.settle_all();
            }
        };
        self.report.share(statement.at, verdict, word, remark);
        statement.settle_all();
    }

    /// Counts a statement that was carried over.
    fn carried(&mut self, statement: &Statement) {
        statement.settle();
        self.report.carry();
    }

    fn note(&mut self, statement: &Statement, message: impl Into<String>) {
        statement.settle();
        self.report.note(statement.at, message);
    }

    fn differs(&mut self, statement: &Statement, message: impl Into<String>) {
        statement.settle();
        self.report.differs(statement.at, message);
    }

    fn lost(&mut self, statement: &Statement, message: impl Into<String>) {
        statement.settle();
        self.report.lost(statement.at, message);
    }

    fn error(&mut self, statement: &Statement, message: impl Into<String>) {
        statement.settle();
        self.report.error(statement.at, message);
    }

    /// Adds a word to a remark that lines share.
    fn share(&mut self, statement: &Statement, verdict: Verdict, remark: &'static str) {
        statement.settle_all();
        let word = statement.keyword();
        self.report.share(statement.at, verdict, word, remark);
    }
}

/// A user of keepalived's words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    user: String,
    group: Option<String>,
}

impl User {
    fn new(user: &str, group: &str) -> Self {
        let group = (!group.is_empty()).then(|| group.to_owned());
        Self {
            user: user.to_owned(),
            group,
        }
    }

    /// The value of `scriptuser`. `None`: root, as without the key.
    fn value(&self) -> Option<String> {
        match &self.group {
            None if self.user == "root" => None,
            Some(group) if self.user == "root" && group == "root" => None,
            None => Some(self.user.clone()),
            Some(group) => Some(format!("{}:{group}", self.user)),
        }
    }
}
