//! The routes and rules that come and go with the addresses of virtual routers.

use std::io;

use vrrp_host::RoutingItem;
use vrrp_port_kit::{KernelIf, Step};

use super::Network;
use crate::ledger::Entry;
use crate::leftovers::marked_items;
use crate::netlink::{self, RoutePlace};

impl Network {
    /// Notes that routes and rules may not be as the virtual routers want them.
    pub(super) fn doubt_routing(&mut self) {
        self.routing.doubt();
    }

    /// Looks whether a route or a rule is missing. All are asked for again when `all`, which finds those
    /// that went with an interface or by somebody's hand; else those that were refused.
    pub(super) fn look_at_routing(&mut self, all: bool) {
        if self.suspects_routing {
            self.suspects_routing = self.compare_routing().is_err();
        }
        if all || self.routing.has_failed() {
            self.routing.look();
        }
        self.tidy_routing();
    }

    /// Whether a route of ours is installed at a place.
    pub(super) fn has_route_at(&self, place: RoutePlace) -> bool {
        self.routing.has_installed(|item| match item {
            RoutingItem::Route(route) => netlink::place_of(route) == place,
            RoutingItem::Rule(_) => false,
        })
    }

    /// Finds out which routes of ours are not there: the attempt to add one tells only that there is some
    /// route with its destination, table and metric. Of a rule it tells that there is the very same.
    fn compare_routing(&mut self) -> io::Result<()> {
        let is_route = |item: &RoutingItem| matches!(item, RoutingItem::Route(_));
        if !self.routing.has_installed(is_route) {
            return Ok(());
        }
        let marked = marked_items(
            &mut self.installer.netlink,
            [netlink::dump_routes_ipv4, netlink::dump_routes_ipv6],
        )?;
        self.routing.compare(|item, index| match item {
            RoutingItem::Route(route) => netlink::is_there(route, index, &marked),
            RoutingItem::Rule(_) => true,
        });
        Ok(())
    }

    /// Installs and removes routes and rules as the virtual routers want them, where that may have changed.
    /// A step that fails is a warning, and tried again.
    pub(super) fn tidy_routing(&mut self) {
        let steps = self.routing.steps(&self.state.table.routers);
        // Before the first is there. Without the notices a removal is still found by the looks.
        let _ = self.monitor.hear_routes(!self.routing.is_empty());
        if steps.is_empty() {
            return;
        }
        // Before they are there: a sweep of another life lets what is noted alone.
        let add = steps.iter().filter_map(|step| match step {
            Step::Add(item) => Some(Entry::Routing(item.clone())),
            Step::Remove(..) | Step::Forget(_) => None,
        });
        if let Err(error) = self.installer.ledger.add(add) {
            for step in &steps {
                if let Step::Add(item) = step {
                    let error = io::Error::new(error.kind(), format!("write the ledger: {error}"));
                    self.routing.added(item, None, Err(error));
                }
            }
            return;
        }
        let steps: Vec<(Step, io::Result<Option<KernelIf>>)> = steps
            .into_iter()
            .map(|step| {
                let index = match &step {
                    Step::Add(item) => self.device_of(item),
                    Step::Remove(_, index) => Ok(*index),
                    Step::Forget(_) => Ok(None),
                };
                (step, index)
            })
            .collect();
        let mut answers = self
            .installer
            .netlink
            .perform_each(|to| {
                for (step, index) in &steps {
                    match (step, index) {
                        (Step::Add(item), Ok(index)) => netlink::item(to, item, *index, true),
                        (Step::Remove(item, _), Ok(index)) => {
                            netlink::item(to, item, *index, false);
                        }
                        (Step::Forget(_), _) | (_, Err(_)) => {}
                    }
                }
            })
            .into_iter();
        for (step, index) in steps {
            let (index, result) = match index {
                Ok(_) if matches!(step, Step::Forget(_)) => (None, Ok(())),
                Ok(index) => (index, answers.next().unwrap_or(Ok(()))),
                Err(error) => (None, Err(error)),
            };
            self.routing_step_done(&step, index, result);
        }
    }

    fn routing_step_done(&mut self, step: &Step, index: Option<KernelIf>, result: io::Result<()>) {
        let (item, is_over) = match step {
            // Its note stays until it is not wanted any more: whoever has it there, only a route or rule with
            // our mark is removed by a note.
            Step::Add(item) => {
                self.routing.added(item, index, result);
                return;
            }
            Step::Forget(item) => (item, true),
            Step::Remove(item, _) => {
                let result = gone(result);
                let is_gone = result.is_ok();
                self.routing.removed(item, result);
                (item, is_gone)
            }
        };
        if is_over {
            // A note that stays finds nothing to remove in the next life.
            let _ = self.installer.ledger.remove(&Entry::Routing(item.clone()));
        }
    }

    /// The interface that a route names.
    fn device_of(&self, item: &RoutingItem) -> io::Result<Option<KernelIf>> {
        let RoutingItem::Route(route) = item else {
            return Ok(None);
        };
        let Some(device) = &route.device else {
            return Ok(None);
        };
        let index = self.state.links.find(device).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no {device}"))
        })?;
        Ok(Some(index))
    }
}

/// The result of a removal: what is not there is gone.
pub(crate) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result.as_ref().map_err(io::Error::raw_os_error) {
        Err(Some(libc::ESRCH | libc::ENOENT | libc::ENODEV)) => Ok(()),
        _ => result,
    }
}
