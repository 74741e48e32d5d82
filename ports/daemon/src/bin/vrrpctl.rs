//! Asks a running vrrpd, and tells it what to do.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

use vrrp_config::DEFAULT_CONTROL_SOCKET;
use vrrpd::control::Connection;
use vrrpd::control::protocol::{Answer, Request, Status, Which};
use vrrpd::ctl::filter::Filter;
use vrrpd::ctl::{metrics, text};
use vrrpd::output::{self, Printed};
use vrrpd::sys;

const USAGE: &str = "\
usage: vrrpctl [-s SOCKET] [-i INTERFACE] [-4 | -6] COMMAND

  status [--json | --brief]       how each virtual router stands
  who [--json]                    who is master of each virtual router on the segments
  stats [--json | --prometheus | --openmetrics]
                                  counters
  events [--json]                 a line for each change of state from now on
  is-master VRID                  exit status 0: this host is master; 1: it is not;
                                  4: there is no such virtual router
  reload                          read the configuration file again
  priority VRID ... N|default     advertise another priority
  resign VRID ...                 hand over to another host, and stay backup
  disable VRID ..., enable VRID ...
                                  stop gracefully; take part again

  -s SOCKET     the control socket (see vrrpd.conf(5), controlsocket)
  -i INTERFACE  only virtual routers on this interface
  -4, -6        only those of this address family
  --all         in the place of VRIDs: all virtual routers

exit status: 0 done, 1 refused or not master, 2 usage, 3 vrrpd cannot be asked,
             4 no such virtual router
";

const REFUSED: u8 = 1;
const USAGE_ERROR: u8 = 2;
const UNREACHABLE: u8 = 3;
const NOT_FOUND: u8 = 4;

/// How an answer is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Text,
    Brief,
    Json,
    Metrics(metrics::Form),
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
    filter: Filter,
    command: Command,
}

/// Why it did not work: the exit status and what to say.
type Failure = (u8, String);

fn main() -> ExitCode {
    let result = match parse() {
        Ok(Wish::Run(args)) => run(&args),
        Ok(Wish::Print(text)) => print(&text).map(|_| ExitCode::SUCCESS),
        Err(error) => {
            output::complain(format_args!("vrrpctl: {error}\n\n{USAGE}"));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match result {
        Ok(code) => code,
        Err((code, message)) => {
            output::complain(format_args!("vrrpctl: {message}\n"));
            ExitCode::from(code)
        }
    }
}

/// The request of the command line.
#[derive(Debug)]
enum Wish {
    Run(Args),
    Print(String),
}

fn parse() -> Result<Wish, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut socket = PathBuf::from(DEFAULT_CONTROL_SOCKET);
    let mut filter = Filter::default();
    let mut form = None;
    let mut words: Vec<String> = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Short('s') | Long("socket") => socket = parser.value()?.into(),
            Short('i') | Long("interface") => {
                set(&mut filter.interface, parser.value()?.string()?, "-i")?;
            }
            Short('4') => set(&mut filter.family, "ipv4".into(), "-4 or -6")?,
            Short('6') => set(&mut filter.family, "ipv6".into(), "-4 or -6")?,
            Short('j') | Long("json") => set(&mut form, Form::Json, FORMS)?,
            Short('b') | Long("brief") => set(&mut form, Form::Brief, FORMS)?,
            Long("prometheus") => set(&mut form, Form::Metrics(PROMETHEUS), FORMS)?,
            Long("openmetrics") => set(&mut form, Form::Metrics(OPENMETRICS), FORMS)?,
            Short('h') | Long("help") => return Ok(Wish::Print(USAGE.into())),
            Short('V') | Long("version") => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Wish::Print(format!("vrrpctl {version}\n")));
            }
            Long("all") => words.push(ALL.into()),
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let form = form.unwrap_or_default();
    let command = command(&words, &filter)?;
    if !form_fits(form, &command) {
        return Err("this command has no such form of output".into());
    }
    if matches!(command, Command::Ask(Request::Reload)) && !filter.is_empty() {
        return Err("reload concerns all virtual routers: -i, -4 and -6 do not go with it".into());
    }
    Ok(Wish::Run(Args {
        socket,
        form,
        filter,
        command,
    }))
}

const PROMETHEUS: metrics::Form = metrics::Form::Prometheus;
const OPENMETRICS: metrics::Form = metrics::Form::OpenMetrics;
/// In the place of VRIDs: every virtual router.
const ALL: &str = "--all";
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

fn command(words: &[&str], filter: &Filter) -> Result<Command, lexopt::Error> {
    let number = |vrid: &&str| match vrid.parse() {
        Ok(vrid @ 1..) => Ok(vrid),
        _ => Err(lexopt::Error::from(format!(
            "expected a VRID from 1 to 255, found `{vrid}`"
        ))),
    };
    let on = |vrids: &[&str]| -> Result<Which, lexopt::Error> {
        let mut which = Which {
            interface: filter.interface.clone(),
            family: filter.family.clone(),
            ..Which::default()
        };
        match vrids {
            [all] if *all == ALL => which.all = true,
            [first, more @ ..] => {
                which.vrid = number(first)?;
                which.more = more.iter().map(number).collect::<Result<_, _>>()?;
            }
            [] => return Err("expected a VRID, or --all".into()),
        }
        Ok(which)
    };
    Ok(Command::Ask(match words {
        ["status"] => Request::Status,
        ["who"] => Request::Who,
        ["stats"] => Request::Stats,
        ["events"] => Request::Events,
        ["reload"] => Request::Reload,
        ["priority", vrids @ .., priority] => Request::SetPriority {
            which: on(vrids)?,
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
        ["resign", vrids @ ..] => Request::Resign(on(vrids)?),
        ["enable", vrids @ ..] => Request::Enable(on(vrids)?),
        ["disable", vrids @ ..] => Request::Disable(on(vrids)?),
        ["is-master", vrid] if *vrid != ALL => return Ok(Command::IsMaster(on(&[vrid])?)),
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
        (Form::Metrics(_), Command::Ask(request)) => *request == Request::Stats,
    }
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let unreachable = |error: &dyn std::fmt::Display| (UNREACHABLE, error.to_string());
    let mut vrrpd = Connection::open(&args.socket).map_err(|e| unreachable(&e))?;
    // Answers are read without access to anything else.
    sys::enter_sandbox().map_err(|e| unreachable(&e))?;
    let mut ask = |request: &Request| -> Result<Answer, Failure> {
        match vrrpd.ask(request).map_err(|e| unreachable(&e))? {
            Answer::Error { message, details } => {
                let details: String = details.iter().map(|d| format!("{d}\n")).collect();
                output::complain(details);
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
    let mut answer = ask(request)?;
    let found = args.filter.apply(&mut answer);
    let shown = match (args.form, &answer) {
        (Form::Metrics(form), Answer::Stats(stats)) => {
            let mut status = ask(&Request::Status)?;
            args.filter.apply(&mut status);
            let Answer::Status(status) = status else {
                return Err((REFUSED, "an answer to another question".into()));
            };
            metrics::render(form, &status, stats)
        }
        (form, answer) => show(form, answer).map_err(|e| unreachable(&e))?,
    };
    let printed = print(&shown)?;
    if matches!(answer, Answer::Events { .. }) && printed == Printed::Whole {
        follow(&mut vrrpd, args)?;
    }
    if !found {
        let message = format!("there is no virtual router {}", args.filter);
        return Err((NOT_FOUND, message));
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
        [] => {
            let message = format!("there is no such virtual router: VRID {}", which.vrid);
            Err((NOT_FOUND, message))
        }
        // Several of one VRID: all of them have to be.
        all if all.iter().all(|r| r.state == "master") => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(REFUSED)),
    }
}

/// Events until vrrpd hangs up, or nobody reads them any more.
fn follow(vrrpd: &mut Connection, args: &Args) -> Result<(), Failure> {
    let unreachable = |error: io::Error| (UNREACHABLE, error.to_string());
    vrrpd.be_patient().map_err(unreachable)?;
    loop {
        if !vrrpd.wait_with(&io::stdout()).map_err(unreachable)? {
            return Ok(());
        }
        let Some(answer) = vrrpd.next_answer().map_err(unreachable)? else {
            return Err((UNREACHABLE, "vrrpd has stopped".into()));
        };
        if let Answer::Event(event) = &answer
            && !args.filter.fits(&event.interface, &event.family)
        {
            continue;
        }
        let shown = show(args.form, &answer).map_err(|e| (UNREACHABLE, e.to_string()))?;
        if print(&shown)? == Printed::ReaderGone {
            return Ok(());
        }
    }
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

fn print(text: &str) -> Result<Printed, Failure> {
    output::print(text).map_err(|message| (REFUSED, message))
}
