//! Asks a running vrrpd, and tells it what to do.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

use vrrpd::config::DEFAULT_CONTROL_SOCKET;
use vrrpd::control::Connection;
use vrrpd::control::protocol::{Answer, Request, Status, Which};
use vrrpd::ctl::{openmetrics, text};
use vrrpd::sys;

const USAGE: &str = "\
usage: vrrpctl [-s SOCKET] [-i INTERFACE] [-4 | -6] COMMAND

  status [--json | --brief]       how each virtual router stands
  who [--json]                    who is master of each virtual router on the segments
  stats [--json | --openmetrics]  counters
  events [--json]                 a line for each change of state from now on
  is-master VRID                  exit status 0: this host is master; 1: it is not
  reload                          read the configuration file again
  priority VRID N|default         advertise another priority
  resign VRID                     hand over to another host, and stay backup
  disable VRID, enable VRID       stop gracefully; take part again

  -s SOCKET     the control socket (see vrrpd.conf(5), controlsocket)
  -i INTERFACE  the virtual router on this interface is meant
  -4, -6        the one of this address family is meant

exit status: 0 done, 1 refused or not master, 2 usage, 3 vrrpd cannot be asked
";

const REFUSED: u8 = 1;
const USAGE_ERROR: u8 = 2;
const UNREACHABLE: u8 = 3;

/// How an answer is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Text,
    Brief,
    Json,
    OpenMetrics,
}

#[derive(Debug)]
enum Command {
    Ask(Request),
    IsMaster(Which),
}

#[derive(Debug)]
struct Args {
    socket: PathBuf,
    form: Form,
    command: Command,
}

/// Why it did not work: the exit status and what to say.
type Failure = (u8, String);

fn main() -> ExitCode {
    let args = match parse() {
        Ok(Some(args)) => args,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprint!("vrrpctl: {error}\n\n{USAGE}");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match run(&args) {
        Ok(code) => code,
        Err((code, message)) => {
            eprintln!("vrrpctl: {message}");
            ExitCode::from(code)
        }
    }
}

/// `None`: what was asked for has been printed.
fn parse() -> Result<Option<Args>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut socket = PathBuf::from(DEFAULT_CONTROL_SOCKET);
    let mut which = Which::default();
    let mut form = Form::Text;
    let mut words: Vec<String> = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Short('s') | Long("socket") => socket = parser.value()?.into(),
            Short('i') | Long("interface") => which.interface = Some(parser.value()?.string()?),
            Short('4') => which.family = Some("ipv4".into()),
            Short('6') => which.family = Some("ipv6".into()),
            Short('j') | Long("json") => form = Form::Json,
            Short('b') | Long("brief") => form = Form::Brief,
            Long("openmetrics") => form = Form::OpenMetrics,
            Short('h') | Long("help") => {
                print!("{USAGE}");
                return Ok(None);
            }
            Short('V') | Long("version") => {
                println!("vrrpctl {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = command(&words, which)?;
    if !form_fits(form, &command) {
        return Err("this command has no such form of output".into());
    }
    Ok(Some(Args {
        socket,
        form,
        command,
    }))
}

fn command(words: &[&str], which: Which) -> Result<Command, lexopt::Error> {
    let on = |vrid: &str| -> Result<Which, lexopt::Error> {
        match vrid.parse() {
            Ok(vrid @ 1..) => Ok(Which {
                vrid,
                ..which.clone()
            }),
            _ => Err(format!("expected a VRID from 1 to 255, found `{vrid}`").into()),
        }
    };
    Ok(Command::Ask(match words {
        ["status"] => Request::Status,
        ["who"] => Request::Who,
        ["stats"] => Request::Stats,
        ["events"] => Request::Events,
        ["reload"] => Request::Reload,
        ["priority", vrid, priority] => Request::SetPriority {
            which: on(vrid)?,
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
        ["resign", vrid] => Request::Resign(on(vrid)?),
        ["enable", vrid] => Request::Enable(on(vrid)?),
        ["disable", vrid] => Request::Disable(on(vrid)?),
        ["is-master", vrid] => return Ok(Command::IsMaster(on(vrid)?)),
        [] => return Err("expected a command".into()),
        [word, ..] => return Err(format!("not a command, or not its arguments: `{word}`").into()),
    }))
}

fn form_fits(form: Form, command: &Command) -> bool {
    match (form, command) {
        (Form::Text, _) => true,
        (_, Command::IsMaster(_)) => false,
        (Form::Json, _) => true,
        (Form::Brief, Command::Ask(request)) => *request == Request::Status,
        (Form::OpenMetrics, Command::Ask(request)) => *request == Request::Stats,
    }
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let unreachable = |error: &dyn std::fmt::Display| (UNREACHABLE, error.to_string());
    let mut vrrpd = Connection::open(&args.socket).map_err(|e| unreachable(&e))?;
    // What the daemon says is read without access to anything else.
    sys::enter_sandbox().map_err(|e| unreachable(&e))?;
    let mut ask = |request: &Request| -> Result<Answer, Failure> {
        match vrrpd.ask(request).map_err(|e| unreachable(&e))? {
            Answer::Error { message, details } => {
                let details: String = details.iter().map(|d| format!("{d}\n")).collect();
                eprint!("{details}");
                Err((REFUSED, message))
            }
            answer => Ok(answer),
        }
    };
    let request = match &args.command {
        Command::IsMaster(which) => {
            let Answer::Status(status) = ask(&Request::Status)? else {
                return Err((REFUSED, "an answer to another question".into()));
            };
            return is_master(&status, which);
        }
        Command::Ask(request) => request,
    };
    let answer = ask(request)?;
    let shown = match (args.form, &answer) {
        (Form::OpenMetrics, Answer::Stats(stats)) => {
            let Answer::Status(status) = ask(&Request::Status)? else {
                return Err((REFUSED, "an answer to another question".into()));
            };
            openmetrics::render(&status, stats)
        }
        (form, answer) => show(form, answer).map_err(|e| unreachable(&e))?,
    };
    print(&shown)?;
    if matches!(answer, Answer::Events { .. }) {
        follow(&mut vrrpd, args.form)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_master(status: &Status, which: &Which) -> Result<ExitCode, Failure> {
    let fits = |r: &&vrrpd::control::protocol::VirtualRouter| {
        r.vrid == which.vrid
            && which.interface.as_ref().is_none_or(|i| *i == r.interface)
            && which.family.as_ref().is_none_or(|f| *f == r.family)
    };
    let found: Vec<_> = status.virtual_routers.iter().filter(fits).collect();
    match found.as_slice() {
        [] => Err((REFUSED, format!("there is no VRID {}", which.vrid))),
        // Several of one VRID: all of them have to be.
        all if all.iter().all(|r| r.state == "master") => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(REFUSED)),
    }
}

/// Events until vrrpd hangs up.
fn follow(vrrpd: &mut Connection, form: Form) -> Result<(), Failure> {
    let unreachable = |error: io::Error| (UNREACHABLE, error.to_string());
    vrrpd.be_patient().map_err(unreachable)?;
    while let Some(answer) = vrrpd.next_answer().map_err(unreachable)? {
        print(&show(form, &answer).map_err(|e| (UNREACHABLE, e.to_string()))?)?;
    }
    Err((UNREACHABLE, "vrrpd has stopped".into()))
}

fn show(form: Form, answer: &Answer) -> serde_json::Result<String> {
    if form == Form::Json {
        let json = match answer {
            Answer::Status(status) => serde_json::to_string_pretty(status),
            Answer::Who(list) => serde_json::to_string_pretty(list),
            Answer::Stats(stats) => serde_json::to_string_pretty(stats),
            // One line for each, for programs that read on.
            other => serde_json::to_string(other),
        };
        return json.map(|text| text + "\n");
    }
    Ok(match answer {
        Answer::Status(status) if form == Form::Brief => text::brief(status),
        Answer::Status(status) => text::status(status),
        Answer::Who(list) => text::who(list),
        Answer::Stats(stats) => text::stats(stats),
        Answer::Done { messages } => messages.iter().map(|m| format!("{m}\n")).collect(),
        Answer::Events { .. } => String::new(),
        Answer::Event(event) => text::event(event) + "\n",
        Answer::Dropped { count } => format!("{count} events were dropped\n"),
        Answer::Error { message, .. } => format!("{message}\n"),
    })
}

/// A reader that has gone, as with `| head`, is no failure worth a message.
fn print(shown: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| (REFUSED, format!("cannot write: {error}")))
}
