//! Units of systemd, of which a script says what systemctl(1) would.

use std::time::Instant;

use super::*;
use crate::probe::unit::Manager;

/// Words for `a.service`, which is active, and so on: the first letter says it.
const SYSTEMCTL: &str = r#"
echo "$@" >>"$0.calls"
verb=$1
while [ "$1" != -- ]; do shift; done
shift
for unit; do
    case "$verb $unit" in
    "is-active a"*) echo active ;;
    "is-active r"*) echo reloading ;;
    "is-active f"*) echo failed ;;
    "is-active s"*) echo two words ;;
    "is-active h"*) exec sleep 30 ;;
    "is-active n"* | "is-active i"*) echo inactive ;;
    "show n"*) echo not-found; echo ;;
    "show i"*) echo loaded; echo ;;
    *) echo "no bus" >&2; exit 1 ;;
    esac
done
exit 3"#;

/// The answers about units that are asked for at the same moment.
fn ask_all(manager: &Manager, units: &[&str]) -> Vec<Result<String, String>> {
    run(async {
        let within = Duration::from_secs(5);
        let trace = Trace::new(false);
        let mut answers = Vec::new();
        let mut asking = Vec::new();
        for unit in units {
            asking.push(Box::pin(tokio::time::timeout(
                within,
                manager.ask(unit, &trace),
            )));
        }
        // All have asked before the first is waited for.
        for ask in &mut asking {
            tokio::select! {
                biased;
                _ = ask => panic!("an answer without a program"),
                () = std::future::ready(()) => {}
            }
        }
        for ask in asking {
            let answer = ask.await.expect("an answer in time");
            answers.push(answer.map_err(|trouble| trouble.to_string()));
        }
        answers
    })
}

#[test]
fn one_program_asks_for_all_units_that_are_due() {
    let systemctl = script(SYSTEMCTL);
    let manager = Manager::of(&systemctl.display().to_string());
    let units = [
        "a.service",
        "r.service",
        "f.service",
        "n.service",
        "i.service",
        "a.service",
    ];
    let answers = ask_all(&manager, &units);
    let failed = |text: &str| Err(text.to_owned());
    assert_eq!(
        answers,
        [
            Ok("a.service is active".to_owned()),
            Ok("r.service is reloading".to_owned()),
            failed("f.service is failed"),
            failed("n.service is not-found"),
            failed("i.service is inactive"),
            Ok("a.service is active".to_owned()),
        ]
    );
    let calls = std::fs::read_to_string(format!("{}.calls", systemctl.display()));
    assert_eq!(
        calls.expect("calls"),
        "is-active -- a.service f.service i.service n.service r.service\n\
         show --property=LoadState --value -- i.service n.service\n"
    );
}

/// A unit for which systemctl(1) says more than a word, or nothing, spoils no other.
#[test]
fn a_strange_answer_spoils_no_other() {
    let systemctl = script(SYSTEMCTL);
    let manager = Manager::of(&systemctl.display().to_string());
    let answers = ask_all(&manager, &["a.service", "s.service", "x.service"]);
    assert_eq!(answers[0], Ok("a.service is active".to_owned()));
    let asked = "the service manager cannot be asked:";
    assert_eq!(
        answers[1],
        Err(format!("{asked} systemctl: exit status: 3"))
    );
    assert_eq!(answers[2], Err(format!("{asked} no bus")));
    let none = Manager::of("/nowhere/systemctl");
    let answers = ask_all(&none, &["a.service"]);
    assert_eq!(answers, [Err(format!("{asked} no such file or directory"))]);
}

/// A manager that hangs is asked again when it answers again, and its program is killed at once.
#[test]
fn a_manager_that_hangs_is_given_up() {
    let systemctl = script(SYSTEMCTL);
    let manager = Manager::of(&systemctl.display().to_string());
    let began = Instant::now();
    run(async {
        let trace = Trace::new(false);
        let hung = manager.ask("h.service", &trace);
        let hung = tokio::time::timeout(Duration::from_millis(100), hung).await;
        assert!(hung.is_err());
        let answer = manager.ask("a.service", &trace).await;
        assert_eq!(answer, Ok("a.service is active".to_owned()));
    });
    assert!(began.elapsed() < Duration::from_secs(5));
}
