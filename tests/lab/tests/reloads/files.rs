//! Configuration files at random: which virtual routers there are, where, and how.

use std::fmt::Write as _;

use vrrp_sim::rng::{Draw, Rng};

/// The interfaces of the host, and the segments' third octets.
pub(crate) const INTERFACES: [(&str, u8); 3] = [("xl0", 10), ("xl1", 20), ("xl2", 30)];
/// The numbers that virtual routers can have. Those up to [`RIVALS`] have a rival at home.
pub(crate) const VRIDS: u8 = 6;
/// The rival host has these, each on its own segment, and no others.
pub(crate) const RIVALS: u8 = 3;
/// The priority of the rival.
pub(crate) const RIVAL: u8 = 120;

/// The weight of a tracked interface that raises the priority while it is up.
const WHILE_UP: &str = ":30";

/// A section of a file.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) vrid: u8,
    /// Of [`INTERFACES`].
    pub(crate) interface: usize,
    pub(crate) priority: u8,
    /// In centiseconds.
    pub(crate) interval_cs: u64,
    vmac: bool,
    accept: bool,
    /// Another interface that has an address of it.
    elsewhere: Option<usize>,
    tracked: Option<(usize, &'static str)>,
    both_versions: bool,
    start_delay: u64,
    preempt_delay: u64,
}

impl Section {
    /// The interface on which the rival has this virtual router, if it has it.
    pub(crate) fn home(vrid: u8) -> usize {
        usize::from(vrid) % INTERFACES.len()
    }

    /// Whether it is master in the end, when every interface is up and the rival is there or not.
    pub(crate) fn wins(&self, with_rival: bool) -> bool {
        let contested = self.vrid <= RIVALS && self.interface == Self::home(self.vrid);
        !(with_rival && contested) || self.advertised_priority() > RIVAL
    }

    fn advertised_priority(&self) -> u8 {
        match self.tracked {
            Some((_, WHILE_UP)) if self.priority < 255 => self.priority.saturating_add(30).min(254),
            _ => self.priority,
        }
    }

    pub(crate) fn is_v6(&self) -> bool {
        is_v6(self.vrid)
    }

    /// Its addresses with their prefix lengths.
    fn addresses(&self) -> Vec<String> {
        let mut list = addresses(self.vrid);
        list.extend(self.elsewhere.map(|other| {
            let (name, net) = INTERFACES[other];
            match self.is_v6() {
                true => format!("{name}:fd00:{net}::20{}/64", self.vrid),
                false => format!("{name}:10.10.{net}.20{}/24", self.vrid),
            }
        }));
        list
    }

    fn write(&self, text: &mut String) {
        let yes = |on| if on { "yes" } else { "no" };
        let (name, _) = INTERFACES[self.interface];
        let mut line = |key: &str, value: String| {
            writeln!(text, "{key} = {value}").expect("writing to a String");
        };
        line("serverid", self.vrid.to_string());
        line("interface", name.to_owned());
        line("addr", self.addresses().join(", "));
        line("priority", self.priority.to_string());
        line(
            "advertinterval",
            (self.interval_cs as f64 / 100.0).to_string(),
        );
        line("useVMAC", yes(self.vmac).to_owned());
        line("accept", yes(self.accept).to_owned());
        if self.both_versions {
            line("version", "both".to_owned());
        }
        line("startdelay", (self.start_delay as f64 / 1e3).to_string());
        if self.priority < 255 {
            line(
                "preemptdelay",
                (self.preempt_delay as f64 / 1e3).to_string(),
            );
        }
        if let Some((interface, how)) = self.tracked {
            line(
                "trackinterface",
                format!("{}{how}", INTERFACES[interface].0),
            );
        }
    }
}

/// Whether its addresses are IPv6.
pub(crate) fn is_v6(vrid: u8) -> bool {
    vrid.is_multiple_of(3)
}

/// The addresses of a virtual router on the segment of its home. No two have one in common.
pub(crate) fn addresses(vrid: u8) -> Vec<String> {
    let (_, net) = INTERFACES[Section::home(vrid)];
    let mut list = match is_v6(vrid) {
        true => vec![format!("fd00:{net}::10{vrid}/64")],
        false => vec![format!("10.10.{net}.10{vrid}/24")],
    };
    if vrid == 4 {
        list.push(format!("10.10.{net}.114/24"));
    }
    list
}

/// The sections of a random file. One that is `final` leaves nothing to wait for.
pub(crate) fn file(rng: &mut Rng, is_final: bool) -> Vec<Section> {
    // With few virtual routers interfaces come and go.
    let missing = rng.pick(&[350_000, 800_000]);
    let vrids = (1..=VRIDS).filter(|_| !rng.chance(missing));
    let vrids: Vec<u8> = vrids.collect();
    let sections = vrids.iter().map(|vrid| section(rng, *vrid, is_final));
    let sections: Vec<Section> = sections.collect();
    match sections.is_empty() {
        // A file needs one.
        true => file(rng, is_final),
        false => sections,
    }
}

/// The file with one thing changed, as an administrator does; and with nothing left to wait for if it
/// is `final`.
pub(crate) fn edited(rng: &mut Rng, mut sections: Vec<Section>, is_final: bool) -> Vec<Section> {
    let at = rng.below(sections.len() as u64) as usize;
    let vrid = sections[at].vrid;
    match rng.below(5) {
        0 => {
            let missing = (1..=VRIDS).filter(|vrid| sections.iter().all(|s| s.vrid != *vrid));
            let missing: Vec<u8> = missing.collect();
            if !missing.is_empty() {
                let vrid = rng.pick(&missing);
                sections.push(section(rng, vrid, is_final));
            }
        }
        1 if sections.len() > 1 => {
            sections.remove(at);
        }
        2 => {
            let another = another(rng, sections[at].interface);
            sections[at].tracked = Some((another, rng.pick(&["", ":-30", WHILE_UP])));
        }
        3 => sections[at].priority = rng.pick(&PRIORITIES),
        _ => sections[at] = section(rng, vrid, is_final),
    }
    if is_final {
        for section in &mut sections {
            section.start_delay = section.start_delay.min(800);
            section.preempt_delay = section.preempt_delay.min(800);
            section.interval_cs = section.interval_cs.min(50);
        }
    }
    sections
}

const PRIORITIES: [u8; 6] = [50, 100, 180, 200, 254, 255];

fn another(rng: &mut Rng, interface: usize) -> usize {
    (interface + 1 + rng.below(2) as usize) % INTERFACES.len()
}

fn section(rng: &mut Rng, vrid: u8, is_final: bool) -> Section {
    let interface = match rng.chance(600_000) {
        true => Section::home(vrid),
        false => rng.below(3) as usize,
    };
    let elsewhere = rng.chance(200_000).then(|| another(rng, interface));
    let how = ["", ":-30", WHILE_UP];
    let tracked = rng
        .chance(300_000)
        .then(|| (another(rng, interface), rng.pick(&how)));
    let delays: &[u64] = match is_final {
        true => &[0, 0, 300, 800],
        false => &[0, 300, 2_000, 600_000],
    };
    Section {
        vrid,
        interface,
        priority: rng.pick(&PRIORITIES),
        // The rival counts the interval of a master that has gone.
        interval_cs: rng.pick(match is_final || vrid <= RIVALS {
            true => &[20, 20, 50],
            false => &[20, 20, 50, 1_000],
        }),
        vmac: rng.chance(500_000),
        accept: elsewhere.is_some() || rng.chance(700_000),
        elsewhere,
        tracked,
        both_versions: !is_v6(vrid) && rng.chance(150_000),
        start_delay: rng.pick(delays),
        preempt_delay: rng.pick(delays),
    }
}

/// The whole text for a host whose files are in `dir`.
pub(crate) fn text(dir: &std::path::Path, sections: &[Section]) -> String {
    let dir = dir.display();
    let mut text = format!(
        "[GLOBAL]\ncontrolsocket = {dir}/vrrpd.sock\nruntimedir = {dir}/run\nstatedir = {dir}/state\n"
    );
    for section in sections {
        text.push_str("\n[VRID]\n");
        section.write(&mut text);
    }
    text
}
