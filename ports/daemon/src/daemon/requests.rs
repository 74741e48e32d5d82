//! Answers to vrrpctl.

use std::time::Instant;

use vrrp_host::{Platform, Sighting, VrId, VrReport, Warning};

use super::Daemon;
use crate::control::Reply;
use crate::control::pieces::Pieces;
use crate::ctl::metrics::Snapshot;
use crate::ctl::text;
use crate::report;
use vrrp_control::{
    Answer, GivenOverride, Request, SCHEMA, Stats, Status, VirtualRouter, VrStats, Which,
};

/// The part of an answer before its virtual routers.
const ROUTERS: &str = "\"virtual_routers\":[";

impl<P: Platform> Daemon<P> {
    /// Carries out a request of a client who may make it.
    pub(super) fn answer(&mut self, request: &Request, uid: u32) -> Reply {
        match request {
            Request::Status => self.status(),
            Request::Who => {
                let all = self.host.statuses();
                let listens = |one: &Sighting| {
                    let mut taking_part = all.iter().filter(|report| {
                        report.status.state != vrrp_core::State::Initialize
                            && report.id.interface == one.interface
                            && report.id.family == one.family
                    });
                    // One with peers hears no multicast: it listens for itself.
                    taking_part.any(|report| report.id.vrid == one.vrid || report.peers.is_empty())
                };
                let seen = self.host.segment().into_iter();
                let seen = seen.map(|one| {
                    let id = VrId {
                        interface: one.interface.clone(),
                        vrid: one.vrid,
                        family: one.family,
                        name: None,
                    };
                    let ours = self.configured.get(&id);
                    // Copies on a second path are listened for in any state.
                    let listens = one.heartbeat || listens(&one);
                    (one, ours.and_then(|id| id.name.clone()), listens)
                });
                let seen: Vec<_> = seen.collect();
                Pieces::of_list(
                    &Answer::Who(Vec::new()),
                    "[",
                    seen,
                    |(one, name, listens)| report::seen(one, name.as_deref(), *listens),
                )
            }
            Request::Stats => {
                let routers = self.router_stats();
                Pieces::of_list(
                    &Answer::Stats(self.host_stats()),
                    ROUTERS,
                    routers,
                    VrStats::clone,
                )
            }
            _ => self.act(request, uid).into(),
        }
    }

    fn act(&mut self, request: &Request, uid: u32) -> Answer {
        match request {
            Request::Status | Request::Who | Request::Stats => {
                Answer::error("this is answered in pieces")
            }
            Request::Check { name, run } => self.check(name, *run, uid),
            // Answered by the server, which holds the history.
            Request::Events(_) | Request::Log(_) => Answer::error("this is answered by the server"),
            Request::Reload => match self.reload(Some(uid)) {
                Ok(messages) => Answer::Done { messages },
                Err(details) => Answer::Error {
                    message: "not reloaded: everything stays as it was".into(),
                    details,
                },
            },
            Request::Compare => match self.compare() {
                Ok(messages) => Answer::Done { messages },
                Err(details) => Answer::Error {
                    message: "a reload would change nothing, for the file has errors".into(),
                    details,
                },
            },
            Request::Config => self.config(),
            // Answered when they are written.
            Request::SetPriority { .. }
            | Request::Drain { .. }
            | Request::Undrain(_)
            | Request::Hold { .. }
            | Request::Release(_)
            | Request::Default(_) => Answer::error("this is answered later"),
            Request::Failover(which) => self.fail_over(which, uid),
            Request::Failback(which) => self.fail_back(which, uid),
            Request::Resign(which) => {
                self.on_each(which, uid, Self::resigning, |host, id| host.resign(id))
            }
            Request::Enable(which) => {
                self.on(which, uid, "enabled", |host, id| host.set_enabled(id, true))
            }
            Request::Disable(which) => self.on(which, uid, "disabled", |host, id| {
                host.set_enabled(id, false)
            }),
        }
    }

    fn status(&self) -> Reply {
        let now = self.host.now();
        let warnings = self.host.warnings();
        let status = self.host_status(&warnings);
        let reports = self.host.statuses().into_iter().map(|report| {
            let checks = self.board.of(&report.id);
            let scripts = self.parent.scripts(&report.id);
            let reason = self.reason(&report.id, &report.why);
            let overrides = self.given_overrides(&report.id);
            (report, checks, scripts, reason, overrides)
        });
        let reports: Vec<_> = reports.collect();
        let groups = self.host.groups();
        Pieces::of_list(&Answer::Status(status), ROUTERS, reports, move |row| {
            let (report, checks, scripts, reason, overrides) = row;
            let mut router = report::virtual_router(report, now, &warnings, reason);
            router.checks.clone_from(checks);
            router.scripts.clone_from(scripts);
            router.group = report::group(report, &groups, now);
            add_overrides(&mut router, overrides);
            router
        })
    }

    /// The status without its virtual routers.
    fn host_status(&self, warnings: &[Warning]) -> Status {
        let of_host = report::warnings_of_host(warnings).into_iter();
        Status {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: self.pid,
            uptime_s: self.began.elapsed().as_secs_f64(),
            worker_crashes: self.crashes,
            file: self.file.display().to_string(),
            stopping: self.stop.is_some(),
            virtual_routers: Vec::new(),
            warnings: of_host
                .chain(self.parent.start_warnings())
                .chain(self.refused_reload.clone())
                .chain(self.board.troubles())
                .collect(),
            checks: self.board.checks(Instant::now()),
        }
    }

    /// The counters without those of virtual routers.
    fn host_stats(&self) -> Stats {
        Stats {
            virtual_routers: Vec::new(),
            interfaces: report::drops(&self.host.interfaces()),
            checks: self.board.stats(),
            connections_reset: self.host.connections_reset(),
            routing_restored: self.host.routing_restored(),
            timer_late: report::timer_late(self.host.lateness()),
            reloads: self.reloads.clone(),
        }
    }

    fn router_stats(&self) -> Vec<VrStats> {
        let reports = self.host.statuses().into_iter();
        reports.map(|report| self.stats_of(&report)).collect()
    }

    fn stats_of(&self, report: &VrReport) -> VrStats {
        let mut stats = report::vr_stats(report);
        let transitions = self.transitions.get(&report.id).cloned();
        stats.transitions = transitions.unwrap_or_default();
        stats
    }

    /// The numbers of this moment, for a scraper.
    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.host.now();
        let warnings = self.host.warnings();
        let (mut status, mut stats) = (self.host_status(&warnings), self.host_stats());
        for report in self.host.statuses() {
            // Their words are not told.
            let mut router = report::virtual_router(&report, now, &warnings, "");
            router.scripts = self.parent.scripts(&report.id);
            add_overrides(&mut router, &self.given_overrides(&report.id));
            stats.virtual_routers.push(self.stats_of(&report));
            status.virtual_routers.push(router);
        }
        Snapshot { status, stats }
    }

    pub(super) fn on(
        &mut self,
        which: &Which,
        uid: u32,
        what: &'static str,
        act: impl Fn(&mut vrrp_host::Host<P>, &VrId) -> Result<(), vrrp_core::Error>,
    ) -> Answer {
        self.on_each(which, uid, |_, _| what, act)
    }

    /// The consequence of resigning, by the state.
    fn resigning(&self, id: &VrId) -> &'static str {
        match self.host.status(id).map(|report| report.status.state) {
            Some(vrrp_core::State::Backup) => {
                "resigns; it is backup here, and does not preempt until `vrrpctl default`"
            }
            Some(vrrp_core::State::Initialize) => {
                "resigns; it takes no part here and serves nothing"
            }
            Some(vrrp_core::State::Active) | None => "resigns; it serves on if nobody takes over",
        }
    }

    /// Does something to each virtual router that is meant. `what`: the consequence, before it is done.
    fn on_each(
        &mut self,
        which: &Which,
        uid: u32,
        what: impl Fn(&Self, &VrId) -> &'static str,
        act: impl Fn(&mut vrrp_host::Host<P>, &VrId) -> Result<(), vrrp_core::Error>,
    ) -> Answer {
        let ids = match self.find_all(which) {
            Ok(ids) => ids,
            Err(message) => return Answer::error(message),
        };
        let (mut messages, mut errors) = (Vec::new(), Vec::new());
        // One of a group moves the others, too.
        let saying: Vec<&str> = ids.iter().map(|id| what(self, id)).collect();
        for (id, what) in ids.into_iter().zip(saying) {
            match act(&mut self.host, &id) {
                Ok(()) => {
                    let message = format!("{id}: {what}");
                    log::info!("{message} (by vrrpctl)");
                    self.command(Some(&id), uid, what.to_owned());
                    messages.push(message);
                }
                Err(error) => errors.push(format!("{id}: {error}")),
            }
        }
        match errors.pop() {
            None => Answer::Done { messages },
            Some(message) => Answer::Error {
                message,
                details: messages.into_iter().chain(errors).collect(),
            },
        }
    }

    /// The virtual routers that are meant, each once, or why one of them cannot be told.
    pub(super) fn find_all(&self, which: &Which) -> Result<Vec<VrId>, String> {
        if which.all {
            let fits = |id: &&VrId| is_on(id, which);
            let all: Vec<VrId> = self.configured.iter().filter(fits).cloned().collect();
            return match all.is_empty() {
                true => Err("there is no such virtual router".into()),
                false => Ok(all),
            };
        }
        let vrids = (which.vrid != 0).then_some(which.vrid).into_iter();
        let vrids = vrids.chain(which.more.iter().copied());
        let by_number = vrids.map(|vrid| {
            let which = Which {
                vrid,
                ..which.clone()
            };
            self.find(&which).map(|id| vec![id])
        });
        let by_name = which.names.iter().map(|name| self.find_named(name, which));
        let mut all = Vec::new();
        for found in by_number.chain(by_name) {
            for id in found? {
                if !all.contains(&id) {
                    all.push(id);
                }
            }
        }
        match all.is_empty() {
            true => Err("which virtual router? Expected a VRID, a name, or all".into()),
            false => Ok(all),
        }
    }

    /// The virtual routers of a name: of one family or both of a section, or the members of a group.
    fn find_named(&self, name: &str, which: &Which) -> Result<Vec<VrId>, String> {
        let mut groups = self.host.groups().into_iter();
        let group = groups.find(|group| &*group.name == name);
        let is_member = |id: &VrId| group.as_ref().is_some_and(|g| g.members.contains(id));
        let is_named = |id: &VrId| id.name.as_deref() == Some(name) || is_member(id);
        let fits = |id: &&VrId| is_named(id) && is_on(id, which);
        let found: Vec<VrId> = self.configured.iter().filter(fits).cloned().collect();
        match found.is_empty() {
            true => Err(format!("there is no such virtual router: {name}")),
            false => Ok(found),
        }
    }

    /// The one virtual router that is meant.
    fn find(&self, which: &Which) -> Result<VrId, String> {
        let fits = |id: &&VrId| id.vrid.get() == which.vrid && is_on(id, which);
        let found: Vec<&VrId> = self.configured.iter().filter(fits).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(format!(
                "there is no such virtual router: VRID {}",
                which.vrid
            )),
            many => {
                let names: Vec<String> = many.iter().map(ToString::to_string).collect();
                let names = names.join(", ");
                Err(format!(
                    "which one? Name the interface or the family: {names}"
                ))
            }
        }
    }
}

/// Adds the overrides, and a warning of each.
fn add_overrides(router: &mut VirtualRouter, overrides: &[GivenOverride]) {
    router.overrides = overrides.to_vec();
    let warnings = overrides.iter();
    let warnings = warnings.map(|one| text::override_warning(router, one));
    let warnings: Vec<String> = warnings.collect();
    router.warnings.extend(warnings);
}

/// Whether a virtual router is on the interface and of the family that are named.
fn is_on(id: &VrId, which: &Which) -> bool {
    let interface = which.interface.as_ref().is_none_or(|i| *i == id.interface);
    let family = which.family.as_ref();
    interface && family.is_none_or(|f| *f == report::family(id.family))
}
