//! The routes that come and go with the addresses of virtual routers.

use std::io;

use vrrp_core::Duration;
use vrrp_host::{Route, RoutingItem};
use vrrp_port_kit::{Added, KernelIf, Step};

use super::Network;
use crate::installer::is_gone;
use crate::ledger::Entry;

/// The time between two tries of a route that was refused.
const PAUSE: Duration = Duration::from_secs(1);
/// The same of a route that somebody else has there: each try is noted and the note removed.
const PAUSE_OF_FOREIGN: Duration = Duration::from_secs(10);

impl Network {
    /// Installs and removes routes as the virtual routers want them, where that may have changed. What
    /// fails is a warning, and tried again.
    pub(super) fn tidy_routing(&mut self) {
        for step in self.routing.steps(&self.state.table.routers) {
            match &step {
                Step::Add(item) => self.add_routing(item),
                Step::Remove(item, index) => self.remove_routing(item, *index),
                Step::Forget(item) => {
                    if let Some(route) = route_of(item) {
                        let _ = self.installer.ledger.remove(&Entry::Routing(route.clone()));
                    }
                }
            }
        }
        if self.routing.has_failed() {
            let pause = if self.routing.has_only_foreign() {
                PAUSE_OF_FOREIGN
            } else {
                PAUSE
            };
            self.look_again(pause);
        }
    }

    fn add_routing(&mut self, item: &RoutingItem) {
        let Some(route) = route_of(item) else {
            let why = io::Error::new(io::ErrorKind::Unsupported, "FreeBSD has no policy rules");
            self.routing.added(item, None, Err(why));
            return;
        };
        let entry = Entry::Routing(route.clone());
        let index = match &route.device {
            Some(device) => match self.state.links.find(device) {
                Some(index) => Ok(Some(index)),
                None => {
                    let why = format!("there is no {device}");
                    Err(io::Error::new(io::ErrorKind::NotFound, why))
                }
            },
            None => Ok(None),
        };
        let (index, result) = match index {
            Ok(index) => {
                let noted = self.installer.ledger.add([entry.clone()]);
                let added = noted.and_then(|()| self.installer.route(route, index, true));
                (index, added)
            }
            Err(error) => (None, Err(error)),
        };
        if self.routing.added(item, index, result) == Added::Foreign {
            // Routes have no mark here: by the note the next life would remove that of somebody else.
            let _ = self.installer.ledger.remove(&entry);
        }
    }

    fn remove_routing(&mut self, item: &RoutingItem, index: Option<KernelIf>) {
        let Some(route) = route_of(item) else {
            self.routing.removed(item, Ok(()));
            return;
        };
        let result = match self.installer.route(route, index, false) {
            Err(error) if is_gone(&error) => Ok(()),
            other => other,
        };
        if result.is_ok() {
            let _ = self.installer.ledger.remove(&Entry::Routing(route.clone()));
        }
        self.routing.removed(item, result);
    }
}

fn route_of(item: &RoutingItem) -> Option<&Route> {
    match item {
        RoutingItem::Route(route) => Some(route),
        RoutingItem::Rule(_) => None,
    }
}
