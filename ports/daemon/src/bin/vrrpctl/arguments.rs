//! The command line: its options, its operands, and the work that they ask for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::prelude::*;
use vrrp_config::{DEFAULT_CONTROL_SOCKET, DEFAULT_FILE};
use vrrp_control::{Family, Request, Since, Terms};
use vrrpd::ctl::filter::Filter;
use vrrpd::ctl::metrics;

use super::commands::{self, Command, Form, Operands};
use super::completions;
use super::selection::{ALL, narrowed, span, which};
use super::waiting::Goal;

/// The work of a command line.
#[derive(Debug)]
pub(super) enum Work {
    Ask(Request),
    IsMaster(Filter),
    /// Wait for a goal, at most so long.
    Wait(Filter, Goal, Duration),
    /// Resign or fail over, and wait for the successor this long.
    HandOver(Request, Duration),
    Check(String),
    Explain(Filter),
    Auth,
    Doctor,
}

#[derive(Debug)]
pub(super) struct Args {
    pub(super) socket: PathBuf,
    pub(super) form: Form,
    pub(super) filter: Filter,
    pub(super) work: Work,
    /// Draw it again and again.
    pub(super) watch: bool,
}

/// The request of the command line.
#[derive(Debug)]
pub(super) enum Wish {
    Run(Box<Args>),
    Print(String),
}

pub(super) fn parse() -> Result<Wish, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut socket: Option<PathBuf> = None;
    let mut file: Option<PathBuf> = None;
    let mut filter = Filter::default();
    let mut form = None;
    let mut words: Vec<String> = Vec::new();
    let (mut asks_help, mut dry_run, mut watch) = (false, false, false);
    let (mut wait, mut timeout, mut since) = (None, None, None);
    let (mut for_s, mut reason) = (None, None);
    // Whether the last option was --wait without its time; and a time that follows it after a blank.
    let (mut is_after_wait, mut after_wait) = (false, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Short('s') | Long("socket") => socket = Some(parser.value()?.into()),
            Short('f') | Long("file") => file = Some(parser.value()?.into()),
            Short('i') | Long("interface") => {
                set(&mut filter.interface, parser.value()?.string()?, "-i")?;
            }
            Short('4') => set(&mut filter.family, Family::Ipv4, "-4 or -6")?,
            Short('6') => set(&mut filter.family, Family::Ipv6, "-4 or -6")?,
            Short('j') | Long("json") => set(&mut form, Form::Json, FORMS)?,
            Short('b') | Long("brief") => set(&mut form, Form::Brief, FORMS)?,
            Short('v') | Long("verbose") => set(&mut form, Form::Verbose, FORMS)?,
            Long("prometheus") => set(&mut form, Form::Metrics(PROMETHEUS), FORMS)?,
            Long("openmetrics") => set(&mut form, Form::Metrics(OPENMETRICS), FORMS)?,
            Short('h') | Long("help") => asks_help = true,
            Short('V') | Long("version") => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Wish::Print(format!("vrrpctl {version}\n")));
            }
            Long("all") => words.push(ALL.into()),
            Long("wait") => {
                let given = parser.optional_value();
                is_after_wait = given.is_none();
                wait = Some(match given {
                    Some(given) => span(&given.string()?, LONGEST_WAIT)?,
                    None => DEFAULT_WAIT,
                });
                continue;
            }
            Long("dry-run") => dry_run = true,
            Long("timeout") => timeout = Some(span(&parser.value()?.string()?, LONGEST_WAIT)?),
            Long("for") => for_s = Some(span(&parser.value()?.string()?, LONGEST_FOR)?.as_secs()),
            Long("reason") => reason = Some(parser.value()?.string()?),
            Long("watch") => watch = true,
            Long("since") => since = Some(when(&parser.value()?.string()?)?),
            Value(word) => {
                let word = word.string()?;
                // A number alone is a VRID.
                let is_time = word.ends_with(|c: char| c.is_ascii_alphabetic())
                    && span(&word, LONGEST_WAIT).is_ok();
                if is_after_wait && is_time {
                    after_wait = Some(word.clone());
                }
                words.push(word);
            }
            other => return Err(other.unexpected()),
        }
        is_after_wait = false;
    }
    if let Some(word) = after_wait {
        let text = "--wait takes its time after an equals sign";
        return Err(format!("{text}: --wait={word}, not --wait {word}").into());
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, operands) = match words.as_slice() {
        ["help", name, ..] => return help(Some(name)),
        ["help"] => return help(None),
        [name, ..] if asks_help => return help(Some(name)),
        [] if asks_help => return help(None),
        [] => return Err("expected a command".into()),
        [name, operands @ ..] => (*name, operands),
    };
    let command = known(name)?;
    if command.operands == Operands::Shell {
        return completion(operands);
    }
    let form = form.unwrap_or_default();
    if command.operands == Operands::Selection {
        filter = narrowed(operands, &filter)?;
    }
    let mut work = work(command, operands, &filter)?;
    if let Some(given) = timeout {
        let Work::Wait(_, _, timeout) = &mut work else {
            return Err(format!("--timeout goes with wait alone, not with {name}").into());
        };
        *timeout = given;
    }
    if dry_run {
        let Work::Ask(Request::Reload) = work else {
            return Err(format!("--dry-run goes with reload alone, not with {name}").into());
        };
        work = Work::Ask(Request::Compare);
    }
    let terms = Terms { for_s, reason };
    if terms != Terms::default() {
        let Work::Ask(request) = &mut work else {
            return Err(NO_TERMS.into());
        };
        let (Request::Drain { terms: place, .. }
        | Request::Hold { terms: place, .. }
        | Request::SetPriority {
            terms: place,
            priority: Some(_),
            ..
        }) = request
        else {
            return Err(NO_TERMS.into());
        };
        *place = terms;
    }
    match (wait, &mut work) {
        (None, Work::Ask(Request::Failover(_))) => work = handed_over(work, DEFAULT_WAIT),
        (None, _) => {}
        (Some(wait), Work::Ask(Request::Drain { wait_s, .. })) => {
            *wait_s = u32::try_from(wait.as_secs()).ok();
        }
        (Some(wait), Work::Ask(Request::Resign(_) | Request::Failover(_))) => {
            work = handed_over(work, wait);
        }
        _ => {
            let message = "--wait goes with resign, failover and drain alone, not with";
            return Err(format!("{message} {name}").into());
        }
    }
    if let Some(wanted) = since {
        let (Work::Ask(Request::Log(since)) | Work::Ask(Request::Events(since))) = &mut work else {
            return Err(format!("--since goes with log and events, not with {name}").into());
        };
        *since = wanted;
    }
    if form != Form::Text && !command.forms.contains(&form) {
        let option = form.option();
        return Err(format!("{name} has no output of the form {option}").into());
    }
    let concerns_all = matches!(
        work,
        Work::Ask(Request::Reload | Request::Compare | Request::Config)
    );
    if concerns_all && !filter.is_empty() {
        let text = format!("{name} concerns all virtual routers: -i, -4 and -6 do not go with it");
        return Err(text.into());
    }
    let socket = match socket {
        Some(_) if file.is_some() => return Err("-s and -f do not go together".into()),
        Some(socket) => socket,
        None => socket_of(file.as_deref())?,
    };
    let args = Args {
        socket,
        form,
        filter,
        work,
        watch,
    };
    if watch && !args.can_watch() {
        return Err(format!("--watch goes with status and status --brief, not with {name}").into());
    }
    Ok(Wish::Run(Box::new(args)))
}

/// The argument of `--since`: an age, as `90s`, `10m`, `1h` or `2d`, or the number of a record.
fn when(given: &str) -> Result<Since, lexopt::Error> {
    let number = |digits: &str| {
        digits
            .parse()
            .ok()
            .filter(|n: &u64| *n <= 1_000_000_000_000)
    };
    let age = |suffix, seconds: u64| {
        let digits = given.strip_suffix(suffix)?;
        Some(number(digits)? * seconds)
    };
    let age = age("s", 1)
        .or_else(|| age("m", 60))
        .or_else(|| age("h", 3_600))
        .or_else(|| age("d", 86_400));
    match (age, number(given)) {
        (Some(seconds), _) => Ok(Since {
            since: None,
            within_s: Some(seconds as f64),
        }),
        (None, Some(seq)) => Ok(Since {
            since: Some(seq),
            within_s: None,
        }),
        (None, None) => Err(format!(
            "expected an age as 90s, 10m, 1h or 2d, or the number of a record, after --since, found `{given}`"
        )
        .into()),
    }
}

/// The request, and the wait for its outcome.
fn handed_over(work: Work, wait: Duration) -> Work {
    match work {
        Work::Ask(request) => Work::HandOver(request, wait),
        other => other,
    }
}

/// The control socket of the vrrpd that has this configuration file. Without `file` that is the usual one,
/// which need not be there or readable.
fn socket_of(file: Option<&Path>) -> Result<PathBuf, lexopt::Error> {
    let named = file.is_some();
    let file = file.unwrap_or(DEFAULT_FILE.as_ref());
    match std::fs::read(file) {
        Ok(octets) => match vrrp_config::control_socket(file, octets) {
            Some(socket) => Ok(socket),
            None if named => {
                Err(format!("{}: not usable: try vrrpd --check", file.display()).into())
            }
            None => Ok(DEFAULT_CONTROL_SOCKET.into()),
        },
        Err(error) if named => Err(format!("{}: {error}", file.display()).into()),
        Err(_) => Ok(DEFAULT_CONTROL_SOCKET.into()),
    }
}

fn known(name: &str) -> Result<&'static Command, lexopt::Error> {
    commands::find(name).ok_or_else(|| format!("there is no command `{name}`").into())
}

pub(super) fn help(name: Option<&str>) -> Result<Wish, lexopt::Error> {
    Ok(Wish::Print(match name {
        Some(name) => known(name)?.help(),
        None => commands::usage(),
    }))
}

fn completion(operands: &[&str]) -> Result<Wish, lexopt::Error> {
    let script = match operands {
        [shell] => completions::script(shell),
        _ => None,
    };
    match script {
        Some(script) => Ok(Wish::Print(script)),
        None => Err("expected one of the shells bash, zsh and fish".into()),
    }
}

const PROMETHEUS: metrics::Form = metrics::Form::Prometheus;

const OPENMETRICS: metrics::Form = metrics::Form::OpenMetrics;

/// The longest wait of `--wait` and `--timeout`.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The longest time for `--for`.
const LONGEST_FOR: Duration = Duration::from_secs(366 * 24 * 3600);

const NO_TERMS: &str = "--for and --reason go with drain, hold and priority alone";

/// The wait when no other is given.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// The options of which a command takes one.
const FORMS: &str = "a form of output";

/// Sets what may be given once, or twice in the same words.
fn set<T: PartialEq>(place: &mut Option<T>, value: T, name: &str) -> Result<(), lexopt::Error> {
    match place {
        Some(before) if *before != value => {
            Err(format!("{name} was given twice, and differs").into())
        }
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn work(command: &Command, operands: &[&str], filter: &Filter) -> Result<Work, lexopt::Error> {
    let name = command.name;
    match command.operands {
        Operands::None if !operands.is_empty() => {
            let found = operands.join(" ");
            return Err(format!("{name} takes no arguments, found `{found}`").into());
        }
        Operands::OneVrid if operands.len() != 1 || operands.contains(&ALL) => {
            return Err(format!("{name} takes one VRID or name").into());
        }
        _ => {}
    }
    Ok(Work::Ask(match (name, operands) {
        ("status", _) => Request::Status,
        ("who", _) => Request::Who,
        ("stats", _) => Request::Stats,
        ("log", _) => Request::Log(Since::default()),
        ("events", _) => Request::Events(Since::default()),
        ("reload", _) => Request::Reload,
        ("config", _) => Request::Config,
        ("priority", [vrid]) => {
            let text = "expected a priority from 1 to 255 or `default` after the virtual router";
            return Err(format!("{text}, found `{vrid}` alone").into());
        }
        ("priority", [vrids @ .., priority]) => Request::SetPriority {
            which: which(vrids, filter)?,
            terms: Terms::default(),
            priority: match (*priority, priority.parse()) {
                ("default", _) => None,
                (_, Ok(n @ 1..)) => Some(n),
                _ => {
                    let text = format!(
                        "expected a priority from 1 to 255 or `default`, found `{priority}`"
                    );
                    return Err(text.into());
                }
            },
        },
        ("check", [name]) => return Ok(Work::Check((*name).to_owned())),
        ("resign", vrids) => Request::Resign(which(vrids, filter)?),
        ("drain", vrids) => Request::Drain {
            which: which(vrids, filter)?,
            terms: Terms::default(),
            wait_s: None,
        },
        ("undrain", vrids) => Request::Undrain(which(vrids, filter)?),
        ("hold", vrids) => Request::Hold {
            which: which(vrids, filter)?,
            terms: Terms::default(),
        },
        ("release", vrids) => Request::Release(which(vrids, filter)?),
        ("failover", vrids) => Request::Failover(which(vrids, filter)?),
        ("failback", vrids) => Request::Failback(which(vrids, filter)?),
        ("default", []) => Request::Default(which(&[ALL], filter)?),
        ("default", vrids) => Request::Default(which(vrids, filter)?),
        ("enable", vrids) => Request::Enable(which(vrids, filter)?),
        ("disable", vrids) => Request::Disable(which(vrids, filter)?),
        ("auth", _) => return Ok(Work::Auth),
        ("doctor", _) => return Ok(Work::Doctor),
        ("explain", vrids) => return Ok(Work::Explain(narrowed(vrids, filter)?)),
        ("is-master", vrids) => return Ok(Work::IsMaster(narrowed(vrids, filter)?)),
        ("wait", [words @ .., goal]) if !words.is_empty() => {
            let goal = Goal::read(goal).ok_or_else(|| {
                format!("expected `master`, `backup` or `settled` to wait for, found `{goal}`")
            })?;
            return Ok(Work::Wait(narrowed(words, filter)?, goal, DEFAULT_WAIT));
        }
        _ => return Err(format!("not the arguments of {name}").into()),
    }))
}
