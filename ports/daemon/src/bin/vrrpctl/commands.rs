//! The table of commands, from which the usage, the help of each command and the completions come.

use std::fmt::Write as _;

use vrrpd::ctl::metrics;

/// A command of vrrpctl.
#[derive(Debug)]
pub(crate) struct Command {
    /// Its name, the first word.
    pub(crate) name: &'static str,
    /// The words that follow it.
    pub(crate) operands: Operands,
    /// The forms of its output besides text.
    pub(crate) forms: &'static [Form],
    /// A line of the usage.
    summary: &'static str,
    /// Further lines of its help.
    details: &'static str,
}

/// The words that may follow a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operands {
    /// None.
    None,
    /// VRIDs or names, or nothing for all.
    Selection,
    /// One VRID or name.
    OneVrid,
    /// VRIDs or names, and what to wait for.
    Goal,
    /// VRIDs, or `--all`, or nothing for the same.
    MaybeVrids,
    /// VRIDs, or `--all`.
    Vrids,
    /// VRIDs, or `--all`, and a priority.
    VridsAndPriority,
    /// The name of a check.
    Check,
    /// A command, or nothing.
    Command,
    /// A shell.
    Shell,
}

impl Operands {
    const fn usage(self) -> &'static str {
        match self {
            Operands::None => "",
            Operands::Selection | Operands::MaybeVrids => "[VR ...]",
            Operands::OneVrid => "VR",
            Operands::Goal => "VR ... STATE",
            Operands::Vrids => "VR ...",
            Operands::VridsAndPriority => "VR ... N|default",
            Operands::Check => "NAME",
            Operands::Command => "[COMMAND]",
            Operands::Shell => "bash|zsh|fish",
        }
    }
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    #[default]
    Text,
    Brief,
    Verbose,
    Json,
    Metrics(metrics::Form),
}

impl Form {
    /// The option that asks for it; empty for text.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Form::Text => "",
            Form::Brief => "--brief",
            Form::Verbose => "--verbose",
            Form::Json => "--json",
            Form::Metrics(metrics::Form::Prometheus) => "--prometheus",
            Form::Metrics(metrics::Form::OpenMetrics) => "--openmetrics",
        }
    }
}

/// Every command, in the order of the usage.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "status",
        operands: Operands::Selection,
        forms: &[Form::Json, Form::Brief, Form::Verbose],
        summary: "show the state of each virtual router",
        details: "With --brief a line for each, with --verbose the settings, too. With VRIDs, names, -i, -4 and -6 only some of them.",
    },
    Command {
        name: "who",
        operands: Operands::Selection,
        forms: &[Form::Json],
        summary: "show the master of each virtual router on the segments",
        details: "Also of those that are not configured here.",
    },
    Command {
        name: "stats",
        operands: Operands::Selection,
        forms: &[
            Form::Json,
            Form::Metrics(metrics::Form::Prometheus),
            Form::Metrics(metrics::Form::OpenMetrics),
        ],
        summary: "show the counters",
        details: "Names are those of RFC 8347bis. --prometheus is for the textfile collector.",
    },
    Command {
        name: "auth",
        operands: Operands::Selection,
        forms: &[Form::Json],
        summary: "show who signs, with which key, and whether all do",
        details: "Of virtual routers with auth = hmac: each router that was heard, signed or bare, its key and\n\
                  its clock, why it was refused last; and whether the group is ready for authmode = enforce.",
    },
    Command {
        name: "explain",
        operands: Operands::OneVrid,
        forms: &[],
        summary: "tell in sentences why it is as it is",
        details: "The state, why it is no better one, how it came to this, who else is heard, and what\n\
                  would happen if this host failed now.\n\
                  0: explained; 4: there is no such virtual router.",
    },
    Command {
        name: "doctor",
        operands: Operands::None,
        forms: &[Form::Json],
        summary: "look for what will do harm on this host and on the wire",
        details: "Each finding with why it matters and what to type. As root it reads the firewall, too.\n\
                  0: nothing was found; 1: something was.",
    },
    Command {
        name: "log",
        operands: Operands::Selection,
        forms: &[Form::Json],
        summary: "show what happened: the last 1,000 records",
        details: "Changes of state and of checks, refusals, commands, reloads, stalls, starts.\n\
                  --since 1h: of the last hour; --since 4711: after the record of this number.",
    },
    Command {
        name: "events",
        operands: Operands::Selection,
        forms: &[Form::Json],
        summary: "print a line for each record from now on",
        details: "With --since from an earlier one on, as for log: without a gap, or it says how many\n\
                  are forgotten. It ends when nobody reads its output any more.",
    },
    Command {
        name: "is-master",
        operands: Operands::OneVrid,
        forms: &[],
        summary: "tell by the exit status whether this host is master",
        details: "0: it is; 1: it is not; 4: there is no such virtual router.",
    },
    Command {
        name: "wait",
        operands: Operands::Goal,
        forms: &[],
        summary: "wait for STATE: master, backup or settled",
        details: "master, backup: this host is. settled: there is a master, here or elsewhere, and nobody is leaving.\n\
                  It waits 30 s, or as long as --timeout says: 90, 30s, 5m, 1h.\n\
                  0: reached; 4: there is no such virtual router; 5: not in time.",
    },
    Command {
        name: "check",
        operands: Operands::Check,
        forms: &[Form::Json],
        summary: "run a check now, and explain its answer",
        details: "0: the answer was good; 1: it was not; 4: there is no such check.",
    },
    Command {
        name: "config",
        operands: Operands::None,
        forms: &[Form::Json],
        summary: "print the configuration that is in force",
        details: "In the syntax of the file, with every value that has been left to its default. Without\n\
                  passwords, and without what vrrpctl has changed.",
    },
    Command {
        name: "reload",
        operands: Operands::None,
        forms: &[Form::Json],
        summary: "read the configuration file again",
        details: "A file with errors changes nothing, and the errors are shown.\n\
                  It tells what is different now; --dry-run tells what would be, and changes nothing.",
    },
    Command {
        name: "drain",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "move away, and stay away",
        details: "Every other host serves rather than this one; when none does, this one serves on.\n\
                  It lasts over restarts and reboots until undrain, or as long as --for says.\n\
                  With --wait=TIME a master first lets TCP connections end, for at most that long.",
    },
    Command {
        name: "undrain",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "take part as before the drain",
        details: "",
    },
    Command {
        name: "hold",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "stay as it is, whoever is better",
        details: "A backup takes over from no master that is well. A master advertises priority 254, which\n\
                  only a host of priority 255, or of 254 in a tie, takes it from. Faults move it still.\n\
                  It lasts over restarts and reboots until release, or as long as --for says.",
    },
    Command {
        name: "release",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "end a hold",
        details: "",
    },
    Command {
        name: "failover",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "move to another host once, and name it",
        details: "As resign --wait, and refused where this host is not master.",
    },
    Command {
        name: "failback",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "take over once from a master of lower priority",
        details: "Whatever preempt, preemptdelay, hold and resign say. Use wait to see it done.",
    },
    Command {
        name: "priority",
        operands: Operands::VridsAndPriority,
        forms: &[Form::Json],
        summary: "advertise another priority, 1 to 255",
        details: "`default` is the configured one again. A reload that changes that one ends it, too.\n\
                  It lasts over restarts and reboots, or as long as --for says.",
    },
    Command {
        name: "default",
        operands: Operands::MaybeVrids,
        forms: &[Form::Json],
        summary: "take back all that vrrpctl has changed",
        details: "Drains, holds, priorities, resign and disable; of all virtual routers where none is given.",
    },
    Command {
        name: "resign",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "hand over to another host, and stay backup",
        details: "When nobody takes over, this host goes on serving. A new priority ends it.\n\
                  With --wait or --wait=SECONDS it returns when that is decided, at most 30 s later:\n\
                  0: another host is master, and is named; 1: this host goes on; 5: not decided.",
    },
    Command {
        name: "disable",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "stop gracefully, until enabled",
        details: "",
    },
    Command {
        name: "enable",
        operands: Operands::Vrids,
        forms: &[Form::Json],
        summary: "take part again",
        details: "",
    },
    Command {
        name: "help",
        operands: Operands::Command,
        forms: &[],
        summary: "show the usage, or the help of a command",
        details: "",
    },
    Command {
        name: "completion",
        operands: Operands::Shell,
        forms: &[],
        summary: "print the completions of a shell",
        details: "bash: into /usr/share/bash-completion/completions/vrrpctl\n\
                  zsh:  into a folder of $fpath, as _vrrpctl\n\
                  fish: into ~/.config/fish/completions/vrrpctl.fish",
    },
];

/// The options that stand before or after any command.
pub(crate) const OPTIONS: &[(&str, &str, &str)] = &[
    (
        "-s",
        "SOCKET",
        "the control socket (see vrrpd.conf(5), controlsocket)",
    ),
    (
        "-f",
        "FILE",
        "the configuration file that names the control socket",
    ),
    ("-i", "INTERFACE", "only virtual routers on this interface"),
    ("-4", "", "only virtual routers of IPv4"),
    ("-6", "", "only virtual routers of IPv6"),
    ("--all", "", "in the place of VRIDs: all virtual routers"),
    (
        "--timeout",
        "TIME",
        "wait: give up after that, such as 30s or 5m",
    ),
    (
        "--dry-run",
        "",
        "reload: tell what would change, and change nothing",
    ),
    (
        "--wait",
        "",
        "resign, failover: wait for the successor, and name it",
    ),
    (
        "--wait",
        "=TIME",
        "drain: let TCP connections end first, for at most TIME",
    ),
    (
        "--for",
        "TIME",
        "drain, hold, priority: until then, such as 30m, 2h or 1d",
    ),
    ("--reason", "TEXT", "drain, hold, priority: shown in status"),
    ("--watch", "", "status: draw it anew at each event; q ends"),
    (
        "--since",
        "WHEN",
        "log, events: as 90s, 10m, 1h, 2d, or a record's number",
    ),
];

const EXIT_STATUS: &str = "\
exit status: 0 done, 1 refused or not master, 2 usage, 3 vrrpd cannot be asked,
             4 no such virtual router, 5 not decided in time
";

/// Between two lines of a list of commands in the usage.
const WRAP: &str = ",\n                  ";

/// Names with commas, in lines that fit a terminal.
fn wrapped(names: &[&str]) -> Vec<String> {
    const IN_A_LINE: usize = 8;
    names
        .chunks(IN_A_LINE)
        .map(|line| line.join(", "))
        .collect()
}

/// The command of this name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

impl Command {
    /// The options that go with it and no form of output, each with its value.
    pub(crate) fn options(&self) -> &'static [&'static str] {
        match self.name {
            "status" => &["--watch"],
            "log" | "events" => &["--since WHEN"],
            "wait" => &["--timeout TIME"],
            "reload" => &["--dry-run"],
            "drain" => &["--for TIME", "--wait=TIME", "--reason TEXT"],
            "hold" | "priority" => &["--for TIME", "--reason TEXT"],
            "failover" | "resign" => &["--wait[=TIME]"],
            _ => &[],
        }
    }

    /// `priority VRID ... N|default`, with its options and the forms of its output.
    fn synopsis(&self) -> String {
        let mut line = self.name.to_owned();
        let forms: Vec<&str> = self.forms.iter().map(|form| form.option()).collect();
        if !forms.is_empty() {
            line += &format!(" [{}]", forms.join(" | "));
        }
        for option in self.options() {
            line += &format!(" [{option}]");
        }
        let operands = match self.operands {
            Operands::MaybeVrids => "[VR ...|--all]",
            Operands::Vrids => "VR ...|--all",
            Operands::VridsAndPriority => "VR ...|--all N|default",
            operands => operands.usage(),
        };
        if !operands.is_empty() {
            line += &format!(" {operands}");
        }
        line
    }

    /// The text of `vrrpctl help COMMAND`.
    pub(crate) fn help(&self) -> String {
        let mut text = format!("usage: vrrpctl {}\n\n{}\n", self.synopsis(), self.summary);
        if !self.details.is_empty() {
            text += &format!("{}\n", self.details);
        }
        text
    }
}

/// The text of `vrrpctl help`. Writing to a `String` cannot fail.
pub(crate) fn usage() -> String {
    let mut text =
        String::from("usage: vrrpctl [-s SOCKET | -f FILE] [-i INTERFACE] [-4 | -6] COMMAND\n\n");
    for command in COMMANDS {
        let synopsis = format!("{} {}", command.name, command.operands.usage());
        let _ = writeln!(text, "  {:<28}  {}", synopsis.trim_end(), command.summary);
    }
    text.push('\n');
    for (option, value, meaning) in OPTIONS {
        let blank = if value.starts_with('=') { "" } else { " " };
        let option = format!("{option}{blank}{value}");
        let _ = writeln!(text, "  {:<14} {meaning}", option.trim_end());
    }
    let _ = writeln!(
        text,
        "  {:<14} another form of output, where a command has it:",
        "--FORM"
    );
    for form in [
        "--json",
        "--brief",
        "--verbose",
        "--prometheus",
        "--openmetrics",
    ] {
        let with = |command: &&Command| command.forms.iter().any(|f| f.option() == form);
        let names: Vec<&str> = COMMANDS.iter().filter(with).map(|c| c.name).collect();
        let _ = writeln!(text, "    {form:<13} {}", wrapped(&names).join(WRAP));
    }
    text + "\nVR is a VRID or the name of a virtual router.\n" + EXIT_STATUS
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../man/vrrpctl.8");

    #[test]
    fn the_manual_page_has_every_command_with_its_forms_and_no_other() {
        let described: Vec<&str> = PAGE
            .lines()
            .filter_map(|line| line.strip_prefix(".It Cm "))
            .collect();
        let names: Vec<&str> = described
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let known: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names, known);
        for (command, line) in COMMANDS.iter().zip(described) {
            for form in command.forms {
                // Administrators' commands have one paragraph on --json for all of them.
                let flag = format!("Fl {}", &form.option()[1..]);
                let shared = *form == Form::Json && !line.contains("Op Fl");
                assert!(shared || line.contains(&flag), "{line}: {flag}");
            }
        }
    }

    #[test]
    fn the_usage_fits_a_terminal_and_names_every_command() {
        let usage = usage();
        for command in COMMANDS {
            assert!(usage.contains(&format!("\n  {}", command.name)));
            assert!(command.help().contains(command.summary));
        }
        assert!(usage.lines().all(|line| line.len() <= 90), "{usage}");
        assert!(usage.contains("\n  --wait=TIME "), "{usage}");
    }

    #[test]
    fn the_help_of_a_command_has_the_options_that_go_with_it() {
        let first = |name: &str| {
            let help = find(name).expect(name).help();
            help.lines().next().unwrap_or_default().to_owned()
        };
        for (name, line) in [
            (
                "drain",
                "usage: vrrpctl drain [--json] [--for TIME] [--wait=TIME] [--reason TEXT] VR ...|--all",
            ),
            ("wait", "usage: vrrpctl wait [--timeout TIME] VR ... STATE"),
            ("undrain", "usage: vrrpctl undrain [--json] VR ...|--all"),
        ] {
            assert_eq!(first(name), line);
        }
        // The list of options names the commands of each before a colon.
        for (option, _, meaning) in OPTIONS {
            let (names, _) = meaning.split_once(':').unwrap_or_default();
            for command in names.split(", ").filter_map(find) {
                assert!(
                    first(command.name).contains(option),
                    "{option} of {}",
                    command.name
                );
            }
        }
    }
}
