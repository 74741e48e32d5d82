//! Asks a running vrrpd, and tells it what to do.

mod answers;
mod arguments;
mod commands;
mod completions;
mod handover;
mod selection;
mod waiting;
mod watch;

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

use commands::Form;

use selection::is_missing;
use vrrp_control::{Answer, Connection, Record, Request};
use vrrpd::ctl::{metrics, text};
use vrrpd::output::{self, Printed};
use vrrpd::sys;

use self::answers::{
    auth, check, doctor, explain, host, is_master, not_there, other_answer, tell_of_future,
};
use self::arguments::{Args, Wish, Work, parse};

const REFUSED: u8 = 1;

const USAGE_ERROR: u8 = 2;

const UNREACHABLE: u8 = 3;

const NOT_FOUND: u8 = 4;

const UNDECIDED: u8 = 5;

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
