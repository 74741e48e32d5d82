//! `vrrpd --check`.

use std::path::Path;

use vrrp_config::{self as config, Config, Source};
use vrrp_control::{Answer, Connection, Request};
use vrrpd::facts;
use vrrpd::scripts::PROGRAM;

use crate::{BAD_CONFIG, FAILED, Look};

/// Returns the exit status, and everything that there is to say about a file.
pub(crate) fn run(file: &Path, look: Look) -> (u8, String) {
    let source = match Source::read(file) {
        Ok(source) => source,
        Err(error) => return (BAD_CONFIG, format!("{}: {error}\n", file.display())),
    };
    let mut judged = config::judge_source(&source, PROGRAM, &facts::read(&source));
    let unresolved = judged.config.as_ref();
    let unresolved = unresolved.map(|config| config::unresolved(&source, config));
    judged.diagnostics.extend(unresolved.into_iter().flatten());
    source.sort(&mut judged.diagnostics);
    let remarks = judged.diagnostics.iter();
    let said =
        |begin: &str| -> String { remarks.map(|remark| format!("{begin}{remark}\n")).collect() };
    let fits = !judged.has_errors();
    let Some(config) = judged.config.as_ref().filter(|_| fits) else {
        return (BAD_CONFIG, said(""));
    };
    match look {
        Look::Judge => {
            let routers = config.virtual_routers.len();
            let s = if routers == 1 { "" } else { "s" };
            let file = file.display();
            let summary = format!("{file}: correct, {routers} virtual router{s}\n");
            (0, said("") + &summary)
        }
        // The output is a file again.
        Look::Print => (0, said("# ") + &config.print()),
        Look::Compare => match compare(config) {
            Ok(differences) => (0, said("") + &differences),
            Err(why) => (FAILED, said("") + &format!("vrrpd: {why}\n")),
        },
    }
}

/// Compares a configuration with that of the vrrpd which listens at its control socket.
fn compare(new: &Config) -> Result<String, String> {
    let socket = &new.global.control_socket;
    let mut vrrpd = Connection::open(socket).map_err(|error| error.to_string())?;
    let lines = match vrrpd.ask(&Request::Config).map_err(|e| e.to_string())? {
        Answer::Done { messages } => messages,
        Answer::Error { message, .. } => return Err(message),
        _ => return Err("an answer to another question".into()),
    };
    let running = config::parse(Path::new("running"), lines.join("\n"));
    let Some(running) = running.config else {
        return Err(format!(
            "the vrrpd that runs has a configuration that this one cannot read: {}",
            running.errors().join("; ")
        ));
    };
    // The vrrpd that runs tells no password.
    let mut new = new.clone();
    new.forget_passwords();
    let differences = running.differences(&new);
    if differences.is_empty() {
        return Ok(
            "nothing is different from the vrrpd that runs; passwords and the octets of keys are not compared\n".into(),
        );
    }
    let lines = differences.iter();
    Ok(lines.map(|one| format!("{}\n", one.text)).collect())
}
