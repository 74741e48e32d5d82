//! Commands whose output is made from the answers to one or several requests.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use vrrp_control::{Answer, Family, Request, Since, State, Status};
use vrrpd::ctl::explain::{self, Facts};
use vrrpd::ctl::filter::Filter;
use vrrpd::ctl::{doctor, text};
use vrrpd::output;
use vrrpd::sys;

use super::arguments::Work;
use super::commands::Form;
use super::{Failure, NOT_FOUND, REFUSED, UNREACHABLE, print, show};

/// Says so where records were asked for after one that there is not yet: the number is of another host,
/// or the history began anew.
pub(super) fn tell_of_future(request: &Request, answer: &Answer) {
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
pub(super) fn check(
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

/// This host, as far as the doctor looks at it.
pub(super) fn host(work: &Work) -> doctor::Host {
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
pub(super) fn doctor(
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
pub(super) fn filtered_status(
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
pub(super) fn not_there(filter: &Filter) -> Failure {
    let message = format!("there is no virtual router {filter}");
    (NOT_FOUND, message.into())
}

/// The failure of an answer that does not belong to its question.
pub(super) fn other_answer() -> Failure {
    (REFUSED, "an answer to another question".to_owned().into())
}

/// Tells who signs.
pub(super) fn auth(
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
pub(super) fn explain(
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

pub(super) fn is_master(status: &Status, filter: &Filter) -> Result<ExitCode, Failure> {
    let routers = status.virtual_routers.iter();
    let found: Vec<_> = routers.filter(|r| filter.fits_router(r)).collect();
    match found.as_slice() {
        [] => Err(not_there(filter)),
        // Several of one VRID: all of them have to be.
        all if all.iter().all(|r| r.state == State::Master) => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(REFUSED)),
    }
}
