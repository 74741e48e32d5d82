//! Asks a running vrrpd, and tells it what to do.

mod commands;
mod completions;
mod handover;
mod selection;
mod waiting;
mod watch;

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use vrrp_config::{DEFAULT_CONTROL_SOCKET, DEFAULT_FILE};
use vrrp_control::{Answer, Connection, Family, Record, Request, Since, State, Status, Terms};
use vrrpd::ctl::doctor;
use vrrpd::ctl::explain::{self, Facts};
use vrrpd::ctl::filter::Filter;
use vrrpd::ctl::{metrics, text};
use vrrpd::output::{self, Printed};
use vrrpd::sys;

use commands::{Command, Form, Operands};
use selection::{ALL, is_missing, narrowed, span, which};
use waiting::Goal;

const REFUSED: u8 = 1;
const USAGE_ERROR: u8 = 2;
const UNREACHABLE: u8 = 3;
const NOT_FOUND: u8 = 4;
const UNDECIDED: u8 = 5;

/// The work of a command line.
#[derive(Debug)]
enum Work {
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
struct Args {
    socket: PathBuf,
    form: Form,
    filter: Filter,
    work: Work,
    /// Draw it again and again.
    watch: bool,
}

/// Why it did not work: the exit status and what to say.
type Failure = (u8, Refusal);

/// A message, and each thing that was wrong, where there are several.
#[derive(Debug)]
struct Refusal {
    message: String,
    details: Vec<String>,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        let details = Vec::new();
        Self { message, details }
    }
}

fn main() -> ExitCode {
    let (result, form) = match parse() {
        Ok(Wish::Run(args)) => (run(&args), args.form),
        Ok(Wish::Print(text)) => (print(&text).map(|_| ExitCode::SUCCESS), Form::Text),
        Err(error) => {
            output::complain(format_args!("vrrpctl: {error}; see vrrpctl(8)\n"));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    result.unwrap_or_else(|(code, refusal)| {
        complain(refusal, form);
        ExitCode::from(code)
    })
}

/// Tells people why it did not work, and the program that asked for JSON as well.
fn complain(refusal: Refusal, form: Form) {
    let Refusal { message, details } = refusal;
    for detail in &details {
        output::complain(format_args!("{detail}\n"));
    }
    output::complain(format_args!("vrrpctl: {message}\n"));
    if form == Form::Json {
        let error = Answer::Error { message, details };
        // The exit status tells that it could not be written.
        let _ = show(form, &error).map(|text| print(&text));
    }
}

/// The request of the command line.
#[derive(Debug)]
enum Wish {
    Run(Box<Args>),
    Print(String),
}

fn parse() -> Result<Wish, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut socket: Option<PathBuf> = None;
    let mut file: Option<PathBuf> = None;
    let mut filter = Filter::default();
    let mut form = None;
    let mut words: Vec<String> = Vec::new();
    let (mut asks_help, mut dry_run, mut watch) = (false, false, false);
    let (mut wait, mut timeout, mut since) = (None, None, None);
    let (mut for_s, mut reason) = (None, None);
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
                wait = Some(match parser.optional_value() {
                    Some(given) => span(&given.string()?, LONGEST_WAIT)?,
                    None => DEFAULT_WAIT,
                });
            }
            Long("dry-run") => dry_run = true,
            Long("timeout") => timeout = Some(span(&parser.value()?.string()?, LONGEST_WAIT)?),
            Long("for") => for_s = Some(span(&parser.value()?.string()?, LONGEST_FOR)?.as_secs()),
            Long("reason") => reason = Some(parser.value()?.string()?),
            Long("watch") => watch = true,
            Long("since") => since = Some(when(&parser.value()?.string()?)?),
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
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

fn help(name: Option<&str>) -> Result<Wish, lexopt::Error> {
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

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let unreachable = |error: &dyn std::fmt::Display| (UNREACHABLE, error.to_string().into());
    let mut vrrpd = Connection::open(&args.socket).map_err(|e| unreachable(&e))?;
    if args.watch {
        return watch(vrrpd, args);
    }
    // Before the files are out of reach.
    let host = host(&args.work);
    // Answers are read without access to anything else.
    sys::enter_sandbox().map_err(|e| unreachable(&e))?;
    let mut ask = |request: &Request| -> Result<Answer, Failure> {
        match vrrpd.ask(request).map_err(|e| unreachable(&e))? {
            Answer::Error { message, details } => {
                let status = request
                    .which()
                    .map(|which| (which, vrrpd.ask(&Request::Status)));
                let code = match status {
                    Some((which, Ok(Answer::Status(status)))) if is_missing(which, &status) => {
                        NOT_FOUND
                    }
                    _ => REFUSED,
                };
                Err((code, Refusal { message, details }))
            }
            answer => Ok(answer),
        }
    };
    let request = match &args.work {
        Work::Wait(filter, goal, timeout) => {
            return waiting::run(&mut ask, filter, *goal, *timeout);
        }
        Work::IsMaster(filter) => {
            let Answer::Status(status) = ask(&Request::Status)? else {
                return Err(other_answer());
            };
            return is_master(&status, filter);
        }
        Work::Check(name) => return check(&mut ask, name, args.form),
        Work::Explain(filter) => return explain(&mut ask, filter),
        Work::Auth => return auth(&mut ask, &args.filter, args.form),
        Work::Doctor => return doctor(&mut ask, &args.filter, &host, args.form),
        Work::HandOver(request, wait) => {
            return handover::run(&mut ask, request, *wait, args.form);
        }
        Work::Ask(request) => request,
    };
    // These may be of virtual routers that are not of this host, or not any more. Events are asked for
    // last: nothing else comes after them.
    let is_open = matches!(request, Request::Who | Request::Log(_) | Request::Events(_));
    let here = match is_open && !args.filter.names_all() {
        true => Some(ask(&Request::Status)?),
        false => None,
    };
    let mut answer = ask(request)?;
    let mut found = args.filter.apply(&mut answer);
    if let Answer::Log(log) = &mut answer {
        log.records.retain(|record| args.filter.wants(record));
    }
    if let Some(Answer::Status(status)) = &here {
        found = args.filter.is_known(status, &answer);
    }
    let shown = match (args.form, &answer) {
        (Form::Metrics(form), Answer::Stats(stats)) => {
            let mut status = ask(&Request::Status)?;
            args.filter.apply(&mut status);
            let Answer::Status(status) = status else {
                return Err(other_answer());
            };
            metrics::render(form, status, stats.clone())
        }
        (form, answer) => show(form, answer).map_err(|e| unreachable(&e))?,
    };
    tell_of_future(request, &answer);
    let printed = print(&shown)?;
    if matches!(answer, Answer::Events { .. }) && found && printed == Printed::Whole {
        follow(&mut vrrpd, args)?;
    }
    if !found {
        return Err(not_there(&args.filter));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says so where records were asked for after one that there is not yet: the number is of another host,
/// or the history began anew.
fn tell_of_future(request: &Request, answer: &Answer) {
    let (Request::Log(Since { since, .. }) | Request::Events(Since { since, .. })) = request else {
        return;
    };
    let (next, shown) = match answer {
        Answer::Log(log) => (log.next, "none are shown"),
        Answer::Events { next } => (*next, "all that are remembered are shown"),
        _ => return,
    };
    if let Some(asked) = since.filter(|asked| *asked >= next) {
        let last = next.saturating_sub(1);
        output::complain(format_args!(
            "vrrpctl: there is no record {asked}, the last one is {last}: the number is of another host, or the history began anew; {shown}\n"
        ));
    }
}

/// Has a check run, waits for its answer and shows it.
fn check(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    name: &str,
    form: Form,
) -> Result<ExitCode, Failure> {
    /// Longer than it takes to hand an answer on, on a busy host.
    const PATIENCE: Duration = Duration::from_secs(10);
    const STEP: Duration = Duration::from_millis(20);
    let Answer::Status(status) = ask(&Request::Status)? else {
        return Err(other_answer());
    };
    if !status.checks.iter().any(|check| check.name == name) {
        let message = format!("there is no check `{name}`");
        return Err((NOT_FOUND, message.into()));
    }
    let mut before = None;
    let began = Instant::now();
    loop {
        let request = Request::Check {
            name: name.to_owned(),
            run: before.is_none(),
        };
        let Answer::Check(check) = ask(&request)? else {
            return Err(other_answer());
        };
        let before = *before.get_or_insert(check.explained);
        if check.explained > before {
            let passed = check.passed == Some(true);
            let shown = show(form, &Answer::Check(check));
            print(&shown.map_err(|e| (UNREACHABLE, e.to_string().into()))?)?;
            return Ok(ExitCode::from(if passed { 0 } else { REFUSED }));
        }
        let timeout = Duration::try_from_secs_f64(check.timeout_s).unwrap_or_default();
        if began.elapsed() > timeout + PATIENCE {
            let message = format!("check {name} was not run: see the warnings of vrrpctl status");
            return Err((UNREACHABLE, message.into()));
        }
        std::thread::sleep(STEP);
    }
}

/// Draws the status again and again.
fn watch(mut vrrpd: Connection, args: &Args) -> Result<ExitCode, Failure> {
    let unreachable = |error: &dyn std::fmt::Display| (UNREACHABLE, error.to_string().into());
    let mut events = Connection::open(&args.socket).map_err(|e| unreachable(&e))?;
    sys::enter_sandbox().map_err(|e| unreachable(&e))?;
    let mut ask = |request: &Request| -> Result<Answer, Failure> {
        match vrrpd.ask(request).map_err(|e| unreachable(&e))? {
            Answer::Error { message, details } => Err((REFUSED, Refusal { message, details })),
            answer => Ok(answer),
        }
    };
    watch::run(&mut ask, &mut events, args)?;
    Ok(ExitCode::SUCCESS)
}

/// This host, as far as the doctor looks at it.
fn host(work: &Work) -> doctor::Host {
    let mut host = doctor::Host::of("/");
    if matches!(work, Work::Doctor) {
        host.synchronised = sys::clock_is_synchronised();
        let rules = [
            ("nft", &["list", "ruleset"][..]),
            ("iptables-save", &["-c"]),
        ];
        let rules = rules.into_iter().filter_map(|(program, words)| {
            let output = std::process::Command::new(program)
                .args(words)
                .output()
                .ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            (output.status.success() && !text.trim().is_empty()).then_some(text)
        });
        host.firewall = Some(rules.collect::<String>()).filter(|text| !text.is_empty());
    }
    host
}

/// Tells what was found. The exit status tells whether anything was.
fn doctor(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    filter: &Filter,
    host: &doctor::Host,
    form: Form,
) -> Result<ExitCode, Failure> {
    let mut asked = (ask(&Request::Status)?, ask(&Request::Who)?);
    filter.apply(&mut asked.0);
    let (Answer::Status(status), Answer::Who(seen)) = asked else {
        return Err(other_answer());
    };
    let findings = doctor::examine(&status, &seen, host);
    let text = match form {
        Form::Json => serde_json::to_string_pretty(&findings).map(|text| text + "\n"),
        _ => Ok(doctor::text(&findings)),
    };
    print(&text.map_err(|e| (REFUSED, e.to_string().into()))?)?;
    Ok(ExitCode::from(if findings.is_empty() {
        0
    } else {
        REFUSED
    }))
}

/// A virtual router with keys, as `auth --json` has it.
#[derive(serde::Serialize)]
struct Signatures {
    vrid: u8,
    name: Option<String>,
    interface: String,
    family: Family,
    auth: vrrp_control::Auth,
}

/// Asks for the status of the virtual routers that are meant. It is an error that there is none.
fn filtered_status(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    filter: &Filter,
) -> Result<Status, Failure> {
    let mut answer = ask(&Request::Status)?;
    let found = filter.apply(&mut answer);
    let Answer::Status(status) = answer else {
        return Err(other_answer());
    };
    if !found {
        return Err(not_there(filter));
    }
    Ok(status)
}

/// The failure of a filter that fits no virtual router.
fn not_there(filter: &Filter) -> Failure {
    let message = format!("there is no virtual router {filter}");
    (NOT_FOUND, message.into())
}

/// The failure of an answer that does not belong to its question.
fn other_answer() -> Failure {
    (REFUSED, "an answer to another question".to_owned().into())
}

/// Tells who signs.
fn auth(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    filter: &Filter,
    form: Form,
) -> Result<ExitCode, Failure> {
    let status = filtered_status(ask, filter)?;
    let text = match form {
        Form::Json => {
            let all = status.virtual_routers.into_iter();
            let all = all.filter_map(|router| {
                Some(Signatures {
                    vrid: router.vrid,
                    name: router.name,
                    interface: router.interface,
                    family: router.family,
                    auth: router.auth?,
                })
            });
            let all: Vec<Signatures> = all.collect();
            serde_json::to_string_pretty(&all).map(|text| text + "\n")
        }
        _ => Ok(text::auth(&status)),
    };
    print(&text.map_err(|e| (REFUSED, e.to_string().into()))?)?;
    Ok(ExitCode::SUCCESS)
}

/// Explains each virtual router that is meant.
fn explain(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    filter: &Filter,
) -> Result<ExitCode, Failure> {
    let asked = (
        ask(&Request::Status)?,
        ask(&Request::Who)?,
        ask(&Request::Log(Since::default()))?,
    );
    let (Answer::Status(status), Answer::Who(seen), Answer::Log(log)) = asked else {
        return Err(other_answer());
    };
    let routers = status.virtual_routers.iter();
    let found = routers.filter(|router| filter.fits_router(router));
    let texts = found.map(|router| {
        explain::explain(&Facts {
            router,
            seen: &seen,
            records: &log.records,
        })
    });
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() {
        return Err(not_there(filter));
    }
    print(&texts.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn is_master(status: &Status, filter: &Filter) -> Result<ExitCode, Failure> {
    let routers = status.virtual_routers.iter();
    let found: Vec<_> = routers.filter(|r| filter.fits_router(r)).collect();
    match found.as_slice() {
        [] => Err(not_there(filter)),
        // Several of one VRID: all of them have to be.
        all if all.iter().all(|r| r.state == State::Master) => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(REFUSED)),
    }
}

/// Events until vrrpd hangs up, or nobody reads them any more.
fn follow(vrrpd: &mut Connection, args: &Args) -> Result<(), Failure> {
    let unreachable = |error: io::Error| (UNREACHABLE, error.to_string().into());
    vrrpd.be_patient().map_err(unreachable)?;
    loop {
        if !vrrpd.has_buffered() {
            let (input, output) = (vrrpd.as_fd().as_raw_fd(), io::stdout().as_raw_fd());
            let (_, reader_gone) = sys::wait_for_input(input, output).map_err(unreachable)?;
            if reader_gone {
                return Ok(());
            }
        }
        let Some(answer) = vrrpd.next_answer().map_err(unreachable)? else {
            return Err((UNREACHABLE, "vrrpd has stopped".to_owned().into()));
        };
        let record = record_of(&answer);
        if record.is_some_and(|record| !args.filter.wants(&record)) {
            continue;
        }
        let shown = show(args.form, &answer).map_err(|e| (UNREACHABLE, e.to_string().into()))?;
        if print(&shown)? == Printed::ReaderGone {
            return Ok(());
        }
    }
}

/// The record that an answer is.
fn record_of(answer: &Answer) -> Option<Record> {
    match answer {
        Answer::Event(event) => Some(event.clone().into()),
        Answer::CheckEvent(event) => Some(event.clone().into()),
        Answer::Notice(notice) => Some(notice.clone().into()),
        _ => None,
    }
}

fn show(form: Form, answer: &Answer) -> serde_json::Result<String> {
    if form == Form::Json {
        let json = match answer {
            Answer::Status(status) => serde_json::to_string_pretty(status),
            Answer::Who(list) => serde_json::to_string_pretty(list),
            Answer::Stats(stats) => serde_json::to_string_pretty(stats),
            Answer::Log(log) => serde_json::to_string_pretty(log),
            // One line for each, for programs that read on.
            other => serde_json::to_string(other),
        };
        return json.map(|text| text + "\n");
    }
    Ok(match answer {
        Answer::Status(status) if form == Form::Brief => text::brief(status),
        Answer::Status(status) => text::status(status, form == Form::Verbose),
        Answer::Who(list) => text::who(list),
        Answer::Stats(stats) => text::stats(stats),
        Answer::Done { messages } => messages.iter().map(|m| format!("{m}\n")).collect(),
        Answer::Events { .. } => String::new(),
        Answer::Check(check) => text::check(check),
        Answer::Log(log) => text::log(log),
        Answer::Event(event) => text::event(event) + "\n",
        Answer::CheckEvent(event) => text::check_event(event) + "\n",
        Answer::Notice(notice) => text::notice(notice) + "\n",
        Answer::Dropped { count } => text::dropped(*count),
        Answer::Error { message, .. } => format!("{message}\n"),
    })
}

fn print(text: &str) -> Result<Printed, Failure> {
    output::print(text).map_err(|message| (REFUSED, message.into()))
}
