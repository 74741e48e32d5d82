//! Routes and policy rules that come and go with the addresses of virtual routers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use vrrp_core::VrKey;
use vrrp_host::{PlatformWarning, RoutingItem, Subject};

use crate::kernel_if::KernelIf;
use crate::routers::Routers;

/// The routes and rules of virtual routers, and which of them are installed.
///
/// A port takes the [`steps`](Self::steps) when the addresses that are served may have changed, performs
/// them, and tells the result of each: [`added`](Self::added) or [`removed`](Self::removed).
#[derive(Debug, Default)]
pub struct Routing {
    /// The steps have to be found anew.
    doubtful: bool,
    /// Nothing has happened that takes routes away: one that is missing was removed by another program.
    quiet: bool,
    items: BTreeMap<RoutingItem, Entry>,
    /// Items that another program had removed and that were installed again.
    restored: u64,
}

/// Looks for which the warning of a restored item lasts.
const SAID_FOR: u8 = 60;

/// A route or a rule that is wanted or installed.
#[derive(Debug, Default)]
struct Entry {
    /// The virtual routers that want it. Empty: it is to be removed.
    wanted_by: BTreeSet<VrKey>,
    /// We installed it, leading out by this interface where it names one.
    installed: Option<Option<KernelIf>>,
    /// Why the last step failed.
    trouble: Option<Trouble>,
    /// Another program removed it, and it was installed again: the looks for which this is still said.
    restored: u8,
    /// It was installed, and the system does not list it any more: one that is there now is not ours.
    missing: bool,
}

/// Why a step failed.
#[derive(Debug)]
enum Trouble {
    /// Somebody else has it there.
    Foreign,
    /// The system refused to install it.
    Refused(String),
    /// The system refused to remove it.
    Stuck(String),
}

/// A step of the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Install it. It may be there: then the port says `AlreadyExists`.
    Add(RoutingItem),
    /// Remove it; it leads out by this interface.
    Remove(RoutingItem, Option<KernelIf>),
    /// Remove its note from the ledger: it was never installed, and is not wanted any more.
    Forget(RoutingItem),
}

/// The state of an item after a step that was to install it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is installed.
    Ours,
    /// Somebody else has it there.
    Foreign,
    /// The system refused it.
    Refused,
}

impl Routing {
    /// Notes that the addresses that are served, or the setups, may have changed, or that a route may have
    /// gone by itself.
    pub fn doubt(&mut self) {
        self.doubtful = true;
        self.quiet = false;
    }

    /// Notes that all items are to be looked at although nothing has happened, as from time to time.
    pub fn look(&mut self) {
        self.quiet = !self.doubtful;
        self.doubtful = true;
        for entry in self.items.values_mut() {
            entry.restored = entry.restored.saturating_sub(1);
        }
    }

    /// How many items another program had removed and were installed again.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Whether an item of this kind is installed, as far as is known.
    pub fn has_installed(&self, mut is: impl FnMut(&RoutingItem) -> bool) -> bool {
        let mut items = self.items.iter();
        items.any(|(item, entry)| entry.installed.is_some() && !entry.missing && is(item))
    }

    /// Compares the installed items with those that the system lists. One that is not there, of which
    /// another program has put one in its place, is no longer ours from the next step on.
    pub fn compare(&mut self, mut is_there: impl FnMut(&RoutingItem, Option<KernelIf>) -> bool) {
        for (item, entry) in &mut self.items {
            if let Some(index) = entry.installed {
                entry.missing = !is_there(item, index);
            }
        }
    }

    /// Whether a step failed: it is to be tried again, after [`doubt`](Self::doubt).
    pub fn has_failed(&self) -> bool {
        self.items.values().any(|entry| entry.trouble.is_some())
    }

    /// Whether somebody else has each item there that is not as it should be: a matter for less haste.
    pub fn has_only_foreign(&self) -> bool {
        let mut troubles = self.items.values().filter_map(|e| e.trouble.as_ref());
        troubles.all(|trouble| matches!(trouble, Trouble::Foreign))
    }

    /// Whether there is nothing to look after.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the steps that bring the system to what the virtual routers want, in order, if there was
    /// a doubt. A route or a rule that is installed is among them: it may have gone with its interface.
    pub fn steps<E, M>(&mut self, routers: &Routers<E, M>) -> Vec<Step> {
        if !std::mem::take(&mut self.doubtful) {
            return Vec::new();
        }
        for entry in self.items.values_mut() {
            entry.wanted_by.clear();
        }
        let mut add = Vec::new();
        for (key, router) in routers.iter() {
            if router.served().next().is_none() {
                continue;
            }
            for item in &router.setup.routing {
                let entry = self.items.entry(item.clone()).or_default();
                if entry.wanted_by.is_empty() {
                    add.push(item.clone());
                }
                entry.wanted_by.insert(*key);
            }
        }
        // A rule without the routes that it leads to would send packets astray, a route alone does not.
        add.sort_by_key(|item| matches!(item, RoutingItem::Rule(_)));
        let mut steps = Vec::new();
        self.items.retain(|item, entry| {
            if !entry.wanted_by.is_empty() {
                return true;
            }
            if let Some(index) = entry.installed {
                steps.push(Step::Remove(item.clone(), index));
                return true;
            }
            steps.push(Step::Forget(item.clone()));
            false
        });
        steps.sort_by_key(|step| !matches!(step, Step::Remove(RoutingItem::Rule(_), _)));
        steps.extend(add.into_iter().map(Step::Add));
        steps
    }

    /// Takes in whether an item was installed, leading out by this interface. Its note in the ledger stays
    /// as long as it is wanted, so that an unchanged refusal writes nothing.
    pub fn added(
        &mut self,
        item: &RoutingItem,
        index: Option<KernelIf>,
        result: io::Result<()>,
    ) -> Added {
        let Some(entry) = self.items.get_mut(item) else {
            return Added::Foreign;
        };
        let was_missing = std::mem::take(&mut entry.missing);
        entry.trouble = match result {
            Ok(()) => {
                if self.quiet && entry.installed.is_some() && entry.trouble.is_none() {
                    entry.restored = SAID_FOR;
                    self.restored += 1;
                }
                entry.installed = Some(index);
                None
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if was_missing {
                    entry.installed = None;
                }
                entry.installed.is_none().then_some(Trouble::Foreign)
            }
            Err(error) => {
                entry.missing = was_missing;
                Some(Trouble::Refused(error.to_string()))
            }
        };
        match entry.trouble {
            Some(Trouble::Foreign) => Added::Foreign,
            _ if entry.installed.is_some() => Added::Ours,
            _ => Added::Refused,
        }
    }

    /// Takes in whether an item was removed.
    pub fn removed(&mut self, item: &RoutingItem, result: io::Result<()>) {
        match (result, self.items.get_mut(item)) {
            (Err(error), Some(entry)) => entry.trouble = Some(Trouble::Stuck(error.to_string())),
            _ => drop(self.items.remove(item)),
        }
    }

    /// Appends which routes and rules are not as they should be.
    pub fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        for (item, entry) in &self.items {
            let text = match &entry.trouble {
                None if entry.restored == 0 => continue,
                None => format!(
                    "{item} was removed by another program, and is installed again; find out which: it is not to touch routes and rules of protocol 112"
                ),
                Some(Trouble::Stuck(why)) => {
                    let text = format!("cannot remove {item}: {why}; tried again each second");
                    list.push(PlatformWarning {
                        subject: Subject::Host,
                        text,
                    });
                    continue;
                }
                Some(Trouble::Foreign) => format!(
                    "{item} is not installed: there is one already that vrrpd did not install, and it stays"
                ),
                Some(Trouble::Refused(why)) => {
                    format!("{item} is not installed: {why}; tried again each second")
                }
            };
            list.extend(entry.wanted_by.iter().map(|key| PlatformWarning {
                subject: Subject::VirtualRouter(*key),
                text: text.clone(),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use vrrp_core::{Family, MacMode, VirtualAddress, Vrid};
    use vrrp_host::{HostIf, VrSetup};

    use super::*;
    use crate::served::{Served, Serving};

    type Table = Routers<(), ()>;

    fn key(vrid: u8) -> VrKey {
        HostIf::new(1).key(Vrid::new(vrid).unwrap(), Family::Ipv4)
    }

    fn item(text: &str) -> RoutingItem {
        text.parse().unwrap()
    }

    const ROUTE: &str = "route 10.0.0.0/8 via 192.0.2.1";
    const RULE: &str = "rule from 192.0.2.0/24 priority 7 lookup 7";

    fn prepare(routers: &mut Table, vrid: u8, routing: &[&str]) {
        routers.prepare(&VrSetup {
            key: key(vrid),
            mac_mode: MacMode::Interface,
            replace_mac: false,
            accept: true,
            silent: false,
            reset_connections: false,
            addresses: Vec::new(),
            followers: Vec::new(),
            unicast: false,
            group: None,
            source: None,
            routing: routing.iter().map(|text| item(text)).collect(),
        });
    }

    fn serve(routers: &mut Table, vrid: u8) {
        let address = VirtualAddress {
            address: IpAddr::from([192, 0, 2, vrid]),
            prefix_len: 24,
        };
        let served = Served {
            address,
            index: KernelIf::new(3).unwrap(),
            how: Serving::Installed,
            entry: (),
        };
        routers.serve(key(vrid), served);
    }

    fn steps(routing: &mut Routing, routers: &Table) -> Vec<String> {
        routing.doubt();
        let steps = routing.steps(routers).into_iter();
        let text = |step| match step {
            Step::Add(item) => format!("+ {item}"),
            Step::Remove(item, _) => format!("- {item}"),
            Step::Forget(item) => format!("forget {item}"),
        };
        steps.map(text).collect()
    }

    fn texts(routing: &Routing) -> Vec<String> {
        let mut list = Vec::new();
        routing.warnings(&mut list);
        list.into_iter().map(|warning| warning.text).collect()
    }

    #[test]
    fn they_come_with_the_first_address_and_go_with_the_last() {
        let (mut routing, mut routers) = (Routing::default(), Table::default());
        prepare(&mut routers, 1, &[RULE, ROUTE]);
        assert_eq!(steps(&mut routing, &routers), [""; 0]);
        serve(&mut routers, 1);
        let both = [format!("+ {ROUTE}"), format!("+ {RULE}")];
        assert_eq!(steps(&mut routing, &routers), both);
        for text in [ROUTE, RULE] {
            assert_eq!(routing.added(&item(text), None, Ok(())), Added::Ours);
        }
        // Without a doubt there is nothing to do; else they are asked for again, and stay ours.
        assert!(routing.steps(&routers).is_empty());
        assert_eq!(steps(&mut routing, &routers), both);
        let there = io::ErrorKind::AlreadyExists;
        let added = routing.added(&item(ROUTE), None, Err(there.into()));
        assert_eq!(added, Added::Ours);
        // A reload takes the rule away.
        prepare(&mut routers, 1, &[ROUTE]);
        let expected = [format!("- {RULE}"), format!("+ {ROUTE}")];
        assert_eq!(steps(&mut routing, &routers), expected);
        routing.removed(&item(RULE), Ok(()));
        routers.take_served(key(1));
        assert_eq!(steps(&mut routing, &routers), [format!("- {ROUTE}")]);
        routing.removed(&item(ROUTE), Err(io::ErrorKind::WouldBlock.into()));
        assert!(routing.has_failed() && texts(&routing).len() == 1);
        assert_eq!(steps(&mut routing, &routers), [format!("- {ROUTE}")]);
        routing.removed(&item(ROUTE), Ok(()));
        assert!(routing.is_empty() && texts(&routing).is_empty());
    }

    #[test]
    fn one_of_two_virtual_routers_goes_with_the_last_of_them() {
        let (mut routing, mut routers) = (Routing::default(), Table::default());
        for vrid in [1, 2] {
            prepare(&mut routers, vrid, &[ROUTE]);
            serve(&mut routers, vrid);
        }
        assert_eq!(steps(&mut routing, &routers), [format!("+ {ROUTE}")]);
        routing.added(&item(ROUTE), None, Ok(()));
        routers.take_served(key(1));
        assert_eq!(steps(&mut routing, &routers), [format!("+ {ROUTE}")]);
        routers.take_served(key(2));
        assert_eq!(steps(&mut routing, &routers), [format!("- {ROUTE}")]);
    }

    #[test]
    fn one_that_is_foreign_or_refused_is_told_tried_again_and_not_removed() {
        let (mut routing, mut routers) = (Routing::default(), Table::default());
        prepare(&mut routers, 1, &[ROUTE, RULE]);
        serve(&mut routers, 1);
        steps(&mut routing, &routers);
        let there = io::ErrorKind::AlreadyExists;
        let added = routing.added(&item(ROUTE), None, Err(there.into()));
        assert_eq!(added, Added::Foreign);
        let unreachable = io::ErrorKind::NetworkUnreachable;
        let added = routing.added(&item(RULE), None, Err(unreachable.into()));
        assert_eq!(added, Added::Refused);
        assert_eq!(
            texts(&routing),
            [
                format!(
                    "{ROUTE} is not installed: there is one already that vrrpd did not install, and it stays"
                ),
                format!("{RULE} is not installed: network unreachable; tried again each second"),
            ]
        );
        assert!(routing.has_failed());
        assert_eq!(steps(&mut routing, &routers).len(), 2);
        routers.take_served(key(1));
        let expected = [format!("forget {ROUTE}"), format!("forget {RULE}")];
        assert_eq!(steps(&mut routing, &routers), expected);
        assert!(routing.is_empty());
    }

    #[test]
    fn one_that_another_program_removed_is_counted_and_said_for_a_minute() {
        let (mut routing, mut routers) = (Routing::default(), Table::default());
        prepare(&mut routers, 1, &[ROUTE]);
        serve(&mut routers, 1);
        steps(&mut routing, &routers);
        let there = || Err(io::ErrorKind::AlreadyExists.into());
        let look = |routing: &mut Routing, result| {
            routing.look();
            assert_eq!(routing.steps(&routers).len(), 1);
            routing.added(&item(ROUTE), None, result);
        };
        routing.added(&item(ROUTE), None, Ok(()));
        look(&mut routing, there());
        assert_eq!((routing.restored(), texts(&routing).len()), (0, 0));
        // It is missing although nothing has happened.
        look(&mut routing, Ok(()));
        assert_eq!(routing.restored(), 1);
        let begin = format!("{ROUTE} was removed by another program, and is installed again");
        assert!(texts(&routing)[0].starts_with(&begin));
        for _ in 1..SAID_FOR {
            look(&mut routing, there());
            assert_eq!(texts(&routing).len(), 1);
        }
        look(&mut routing, there());
        assert_eq!(texts(&routing), [""; 0]);
        // It went with its interface, or was refused before.
        routing.doubt();
        look(&mut routing, Ok(()));
        look(&mut routing, Err(io::ErrorKind::NetworkDown.into()));
        look(&mut routing, Ok(()));
        assert_eq!(routing.restored(), 1);
    }

    #[test]
    fn one_that_another_program_replaced_is_foreign_until_that_is_gone() {
        let (mut routing, mut routers) = (Routing::default(), Table::default());
        prepare(&mut routers, 1, &[ROUTE, RULE]);
        serve(&mut routers, 1);
        steps(&mut routing, &routers);
        routing.added(&item(ROUTE), None, Ok(()));
        routing.added(&item(RULE), None, Ok(()));
        let look = |routing: &mut Routing, result| {
            routing.look();
            assert_eq!(routing.steps(&routers).len(), 2);
            routing.added(&item(RULE), None, Err(io::ErrorKind::AlreadyExists.into()));
            routing.added(&item(ROUTE), None, result)
        };
        let there = || Err(io::ErrorKind::AlreadyExists.into());
        // Removed and installed again, which is said for a minute, and then replaced.
        look(&mut routing, Ok(()));
        routing.compare(|_, _| true);
        assert_eq!(look(&mut routing, there()), Added::Ours);
        assert!(routing.has_installed(|one| *one == item(ROUTE)));
        routing.compare(|one, _| *one != item(ROUTE));
        assert!(!routing.has_installed(|one| *one == item(ROUTE)));
        // A refusal tells nothing of it.
        look(&mut routing, Err(io::ErrorKind::NetworkDown.into()));
        for _ in 0..2 {
            assert_eq!(look(&mut routing, there()), Added::Foreign);
            let left = "is not installed: there is one already that vrrpd did not install";
            assert_eq!(texts(&routing).len(), 1);
            assert!(texts(&routing)[0].contains(left), "{:?}", texts(&routing));
        }
        assert_eq!(look(&mut routing, Ok(())), Added::Ours);
        assert_eq!(look(&mut routing, there()), Added::Ours);
        assert_eq!(routing.restored(), 1);
        // Gone by itself: what comes in its place is ours again.
        routing.compare(|one, _| *one != item(ROUTE));
        assert_eq!(look(&mut routing, Ok(())), Added::Ours);
        assert_eq!(look(&mut routing, there()), Added::Ours);
        // A foreign one is not removed.
        routing.compare(|one, _| *one != item(ROUTE));
        look(&mut routing, there());
        routers.take_served(key(1));
        let expected = [format!("- {RULE}"), format!("forget {ROUTE}")];
        assert_eq!(steps(&mut routing, &routers), expected);
    }
}
