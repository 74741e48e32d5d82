//! What is known of this host without opening the platform.

use std::io;

use vrrp_host::{Facts, OwnInterface};

use crate::links::Links;
use crate::route;
use crate::sys;

/// The interfaces of this network stack, as they were when they were listed.
#[derive(Clone, Debug, Default)]
pub struct FreebsdFacts(Vec<OwnInterface>);

impl FreebsdFacts {
    /// Lists them. Needs no privileges.
    pub fn read() -> io::Result<Self> {
        let list = sys::interface_list()?;
        let links = Links::new(route::list(&list));
        Ok(Self(links.facts(|_| false)))
    }

    pub(crate) fn new(interfaces: Vec<OwnInterface>) -> Self {
        Self(interfaces)
    }
}

impl Facts for FreebsdFacts {
    fn interfaces(&self) -> &[OwnInterface] {
        &self.0
    }
}
