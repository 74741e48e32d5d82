//! The sections and keys that exist, and which one a misspelled one may have meant.

/// The subject of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionKind {
    /// `[GLOBAL]`: the daemon itself.
    Global,
    /// `[VRID]`: one virtual router.
    Vrid,
    /// `[GROUP]`: virtual routers that are master together.
    Group,
    /// `[CHECK]`: whether a service works.
    Check,
}

impl SectionKind {
    const ALL: [SectionKind; 4] = [
        SectionKind::Global,
        SectionKind::Vrid,
        SectionKind::Group,
        SectionKind::Check,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            SectionKind::Global => "GLOBAL",
            SectionKind::Vrid => "VRID",
            SectionKind::Group => "GROUP",
            SectionKind::Check => "CHECK",
        }
    }

    /// The section of this name; upper and lower case are the same.
    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The keys that this section may hold.
    pub(super) fn keys(self) -> impl Iterator<Item = Key> {
        Key::ALL
            .iter()
            .copied()
            .filter(move |key| key.sections().contains(&self))
    }
}

macro_rules! keys {
    ($($variant:ident $name:literal $sections:expr;)*) => {
        /// Every key of the configuration file.
        #[expect(
            clippy::enum_variant_names,
            reason = "`keyfile` and `activekey` are words of the file"
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Key { $($variant,)* }

        impl Key {
            /// All keys, in the manual page's order.
            pub(super) const ALL: &'static [Key] = &[$(Key::$variant,)*];

            /// The key as the manual page spells it.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Key::$variant => $name,)* }
            }

            /// The sections that may hold it.
            pub(super) const fn sections(self) -> &'static [SectionKind] {
                match self { $(Key::$variant => $sections,)* }
            }
        }
    };
}

const VRID: &[SectionKind] = &[SectionKind::Vrid];
const GLOBAL: &[SectionKind] = &[SectionKind::Global];
const CHECK: &[SectionKind] = &[SectionKind::Check];
const GROUP: &[SectionKind] = &[SectionKind::Group];
const NAMED: &[SectionKind] = &[SectionKind::Vrid, SectionKind::Group, SectionKind::Check];
const CHANGES: &[SectionKind] = &[SectionKind::Vrid, SectionKind::Group];
const RUNS: &[SectionKind] = &[SectionKind::Global, SectionKind::Vrid, SectionKind::Group];
const RUNS_AS: &[SectionKind] = &[
    SectionKind::Global,
    SectionKind::Vrid,
    SectionKind::Group,
    SectionKind::Check,
];

keys! {
    ServerId "serverid" VRID;
    Interface "interface" VRID;
    Addr "addr" VRID;
    Extra "extra" VRID;
    Route "route" VRID;
    Rule "rule" VRID;
    Priority "priority" VRID;
    Version "version" VRID;
    AdvertInterval "advertinterval" VRID;
    Password "password" VRID;
    Auth "auth" VRID;
    KeyFile "keyfile" VRID;
    Credential "credential" VRID;
    ActiveKey "activekey" VRID;
    AuthMode "authmode" VRID;
    AntiReplay "antireplay" VRID;
    TimeWindow "timewindow" VRID;
    Preempt "preempt" VRID;
    PreemptDelay "preemptdelay" VRID;
    StartDelay "startdelay" VRID;
    Accept "accept" VRID;
    Silent "silent" VRID;
    Connections "connections" VRID;
    UseVmac "useVMAC" VRID;
    Source "source" VRID;
    Group "group" VRID;
    Peers "peers" VRID;
    MaxHops "maxhops" VRID;
    Checksum "checksum" VRID;
    AddressCheck "addresscheck" VRID;
    OwnerReceive "ownerreceive" VRID;
    OnConflict "onconflict" VRID;
    Heartbeat "heartbeat" VRID;
    TrackInterface "trackinterface" VRID;
    VridsDep "vridsdep" VRID;
    Check "check" VRID;
    AnnounceRepeats "announcerepeats" VRID;
    AnnounceInterval "announceinterval" VRID;
    AnnounceRefresh "announcerefresh" VRID;
    MasterScript "masterscript" CHANGES;
    BackupScript "backupscript" CHANGES;
    FaultScript "faultscript" CHANGES;
    StopScript "stopscript" CHANGES;
    PrepareScript "preparescript" VRID;
    PrepareTimeout "preparetimeout" VRID;
    ReclaimScript "reclaimscript" VRID;
    NotifyScript "notifyscript" RUNS;
    ScriptRetry "scriptretry" RUNS;
    ScriptTimeout "scripttimeout" RUNS;
    ScriptUser "scriptuser" RUNS_AS;
    MonitoredCircuits "monitoredcircuits" VRID;
    CarrierTimeout "carriertimeout" VRID;
    SpanningTreeLatency "spanningtreelatency" VRID;
    McClearErrorsCount "MCClearErrorsCount" VRID;
    SendGratuitousArp "sendgratuitousarp" VRID;
    AhEncryption "AHencryption" VRID;
    UseIke "useIKE" VRID;
    Preshared "presharedkey" VRID;
    Include "include" GLOBAL;
    ControlSocket "controlsocket" GLOBAL;
    Metrics "metrics" GLOBAL;
    ControlGroup "controlgroup" GLOBAL;
    RuntimeDir "runtimedir" GLOBAL;
    StateDir "statedir" GLOBAL;
    LogLevel "loglevel" GLOBAL;
    ScriptSecurity "scriptsecurity" GLOBAL;
    User "user" GLOBAL;
    Lease "lease" GLOBAL;
    Name "name" NAMED;
    Vrids "vrids" GROUP;
    Process "process" CHECK;
    Unit "unit" CHECK;
    Tcp "tcp" CHECK;
    Expect "expect" CHECK;
    Send "send" CHECK;
    Http "http" CHECK;
    Status "status" CHECK;
    Body "body" CHECK;
    Host "host" CHECK;
    Verify "verify" CHECK;
    Ca "ca" CHECK;
    Dns "dns" CHECK;
    Answer "answer" CHECK;
    Ping "ping" CHECK;
    File "file" CHECK;
    Absent "absent" CHECK;
    Command "command" CHECK;
    Interval "interval" CHECK;
    Timeout "timeout" CHECK;
    Fall "fall" CHECK;
    Rise "rise" CHECK;
    Initially "initially" CHECK;
}

impl Key {
    /// The key of this name; upper and lower case are the same.
    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|key| key.name().eq_ignore_ascii_case(name))
    }

    /// Whether its value is the path of a script that vrrpd runs at an event.
    pub(super) const fn is_script(self) -> bool {
        matches!(
            self,
            Key::MasterScript
                | Key::BackupScript
                | Key::FaultScript
                | Key::StopScript
                | Key::PrepareScript
                | Key::ReclaimScript
                | Key::NotifyScript
        )
    }
}

/// The key of `section` that `name` most resembles. `None`: it resembles none.
pub(super) fn nearest_key(name: &str, section: SectionKind) -> Option<&'static str> {
    nearest(name, section.keys().map(Key::name))
}

/// The section that `name` most resembles. `None`: it resembles none.
pub(super) fn nearest_section(name: &str) -> Option<&'static str> {
    nearest(name, SectionKind::ALL.into_iter().map(SectionKind::name))
}

fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const LONGEST: usize = 40;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let apart = |candidate: &str| {
        let candidate = candidate.to_ascii_lowercase();
        let shorter = name.len().min(candidate.len());
        let begins = name.starts_with(&candidate) || candidate.starts_with(&name);
        // An abbreviation is as good as a slip of one letter.
        if begins && shorter > 2 {
            1
        } else {
            distance(&name, &candidate)
        }
    };
    known
        .map(|candidate| (apart(candidate), candidate))
        // A third of the letters wrong is still a slip; more is another word.
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, remove, replace or swap with the next one to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_by_its_name_in_any_case_and_names_are_distinct() {
        for &key in Key::ALL {
            assert_eq!(Key::find(&key.name().to_ascii_uppercase()), Some(key));
        }
        assert_eq!(Key::find("prio"), None);
    }

    #[test]
    fn a_slip_finds_its_key_and_another_word_finds_none() {
        let table = [
            ("priorty", Some("priority")),
            ("prioirty", Some("priority")),
            ("adr", Some("addr")),
            ("address", Some("addr")),
            ("prio", Some("priority")),
            ("pr", None),
            ("serverId2", Some("serverid")),
            ("usevmacs", Some("useVMAC")),
            ("interval", Some("interface")),
            ("smtp_server", None),
            ("x", None),
        ];
        for (word, expected) in table {
            assert_eq!(nearest_key(word, SectionKind::Vrid), expected, "{word}");
        }
        assert_eq!(nearest_key("contolsocket", SectionKind::Vrid), None);
        assert_eq!(
            nearest_key("contolsocket", SectionKind::Global),
            Some("controlsocket")
        );
        assert_eq!(nearest_section("VRIDS"), Some("VRID"));
        assert_eq!(nearest_key(&"p".repeat(100_000), SectionKind::Vrid), None);
    }

    #[test]
    fn distance_counts_slips() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
