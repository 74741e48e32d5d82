//! Scripts and checks: the command, whether it can be written, and a script that stops keepalived.

use std::path::{Path, PathBuf};

use super::words;
use crate::diagnostic::found;
use crate::import::surroundings::Surroundings;
use crate::import::values;

/// A command of keepalived.
#[derive(Debug)]
pub(super) struct Command {
    /// The program and its words.
    pub(super) words: Vec<String>,
    /// The words after the command: a user and a group.
    pub(super) user: Vec<String>,
    /// Whether the program is named without its path and is not on this host.
    pub(super) missing: bool,
}

impl Command {
    /// Reads the command of a line, as `notify "/bin/x a" user`. `Err`: the reason in words.
    pub(super) fn read(line: &str, surroundings: &dyn Surroundings) -> Result<Self, String> {
        let Some(mut line) = words::split_quoted(line) else {
            return Err("a quotation mark is not closed".to_owned());
        };
        if line.len() < 2 {
            return Err("there is no program".to_owned());
        }
        let user = line.split_off(2);
        let command = line.pop().unwrap_or_default();
        let Some(mut words) = words::split_command(&command).filter(|words| !words.is_empty())
        else {
            return Err(format!("{} cannot be taken apart", found(&command)));
        };
        let mut missing = false;
        if let Some(program) = words.first_mut()
            && !program.contains('/')
        {
            let path = surroundings.program(program);
            missing = path.is_none();
            let usual = || Path::new("/usr/bin").join(&program);
            *program = path.unwrap_or_else(usual).display().to_string();
        }
        Ok(Self {
            words,
            user,
            missing,
        })
    }

    /// The value of a key. `Err`: a script that has to be written first, in words.
    pub(super) fn value(&self) -> Result<String, String> {
        values::command(&self.words).map_err(|word| {
            let line = values::shell_line(&self.words);
            format!(
                "no value can hold {}, as no shell reads it: write a script of two lines, `#!/bin/sh` and `exec {line}`, and name it here",
                found(&word)
            )
        })
    }

    /// The place where the command stops keepalived. `Ok(None)`: nowhere. `Err`: a script of it cannot be
    /// read here.
    pub(super) fn stops_keepalived(
        &self,
        surroundings: &dyn Surroundings,
    ) -> Result<Option<String>, PathBuf> {
        if is_stop(&self.words.join(" ")) {
            return Ok(Some("the command".to_owned()));
        }
        for (index, word) in self.words.iter().enumerate() {
            if !word.starts_with('/') {
                continue;
            }
            let path = Path::new(word);
            let Ok(octets) = surroundings.begin(path) else {
                if index == 0 {
                    return Err(path.to_path_buf());
                }
                continue;
            };
            // A program of machine code says nothing.
            if octets.starts_with(b"\x7fELF") {
                continue;
            }
            let text = String::from_utf8_lossy(&octets);
            for (number, line) in text.lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default();
                if is_stop(line) {
                    return Ok(Some(format!("`{word}`, line {}", number + 1)));
                }
            }
        }
        Ok(None)
    }
}

/// Whether a line of a shell stops keepalived.
fn is_stop(line: &str) -> bool {
    let words: Vec<&str> = line
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c)))
        .filter(|word| !word.is_empty())
        .collect();
    let named = words.iter().any(|word| {
        let name = word.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".service").unwrap_or(name);
        let name = name.strip_suffix(".pid").unwrap_or(name);
        name == "keepalived"
    });
    let stops = ["stop", "kill", "killall", "pkill", "restart", "disable"];
    let stops = words.iter().any(|word| {
        let name = word.rsplit('/').next().unwrap_or_default();
        stops.contains(&name)
    });
    // Signal 0 only asks.
    let asks = words.contains(&"-0");
    named && stops && !asks
}

/// The built-in check that asks the same as a command, if that is plain.
pub(super) fn built_in(words: &[String]) -> Option<(&'static str, String)> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (program, args) = words.split_first()?;
    let name = program.rsplit('/').next()?;
    let plain = |word: &&&str| !word.starts_with('-');
    let last = || args.last().copied().filter(|word| !word.starts_with('-'));
    let process = |name: &str| (!name.contains('/')).then(|| ("process", name.to_owned()));
    match name {
        "killall" if args.contains(&"-0") => process(last()?),
        "pidof" => {
            let name = last()?;
            process(name.rsplit('/').next()?)
        }
        "pgrep" if !args.contains(&"-f") => process(last()?),
        "systemctl" if args.contains(&"is-active") => Some(("unit", last()?.to_owned())),
        "curl" | "wget" => {
            let mut urls = args.iter();
            let is_url = |word: &&&str| word.starts_with("http://") || word.starts_with("https://");
            Some(("http", (*urls.find(is_url)?).to_owned()))
        }
        "nc" | "ncat"
            if args
                .iter()
                .any(|word| word.starts_with('-') && word.contains('z')) =>
        {
            let mut plain = args.iter().filter(plain);
            let (host, port) = (plain.next()?, plain.next_back()?);
            port.parse::<u16>().ok()?;
            Some(("tcp", format!("{host}:{port}")))
        }
        "ping" | "ping6" => Some(("ping", last()?.to_owned())),
        "test" | "[" => match args {
            ["-f" | "-e", path] | ["-f" | "-e", path, "]"] => Some(("file", (*path).to_owned())),
            ["!", "-f" | "-e", path] | ["!", "-f" | "-e", path, "]"] => {
                Some(("file", format!("{path} with absent = yes")))
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_stop_keepalived_are_found() {
        for line in [
            "systemctl stop keepalived",
            "killall keepalived",
            "/etc/init.d/keepalived stop",
            "service keepalived stop;exit 0",
            "pkill -9 keepalived",
            "kill $(cat /run/keepalived.pid)",
        ] {
            assert!(is_stop(line), "{line}");
        }
        for line in [
            "killall -0 keepalived",
            "logger keepalived: nginx stopped",
            "systemctl stop nginx",
            "/etc/keepalived/check.sh stop",
        ] {
            assert!(!is_stop(line), "{line}");
        }
    }

    #[test]
    fn plain_commands_have_a_check_of_their_own() {
        let built_in = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            super::built_in(&words).map(|(key, value)| format!("{key} = {value}"))
        };
        let table = [
            ("/usr/bin/killall -0 haproxy", Some("process = haproxy")),
            ("/bin/pidof nginx", Some("process = nginx")),
            ("pgrep -x sshd", Some("process = sshd")),
            ("pgrep -f a", None),
            (
                "/usr/bin/systemctl is-active --quiet x.service",
                Some("unit = x.service"),
            ),
            (
                "curl -sf http://127.0.0.1/ -m 2",
                Some("http = http://127.0.0.1/"),
            ),
            ("nc -z localhost 80", Some("tcp = localhost:80")),
            ("ping -c 1 10.0.0.1", Some("ping = 10.0.0.1")),
            ("/usr/bin/test -f /a", Some("file = /a")),
            ("/bin/true", None),
        ];
        for (line, expected) in table {
            assert_eq!(built_in(line).as_deref(), expected, "{line}");
        }
    }
}
