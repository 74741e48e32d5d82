//! Completions for shells, made from the table of commands.

use crate::commands::{COMMANDS, Command, OPTIONS, Operands};

/// The completions for `shell`; `None`: there are none.
pub(crate) fn script(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        _ => None,
    }
}

fn names() -> String {
    let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    names.join(" ")
}

/// The words that may follow a command, as far as they are known without asking vrrpd.
fn words(command: &Command) -> String {
    let mut words: Vec<&str> = command.forms.iter().map(|form| form.option()).collect();
    let options = command.options().iter();
    words.extend(options.filter_map(|option| option.split([' ', '=', '[']).next()));
    match command.operands {
        Operands::Vrids | Operands::MaybeVrids => words.push("--all"),
        Operands::VridsAndPriority => words.extend(["--all", "default"]),
        Operands::Shell => words.extend(["bash", "zsh", "fish"]),
        Operands::Command => words.extend(COMMANDS.iter().map(|command| command.name)),
        Operands::Goal => words.extend(["master", "backup", "settled"]),
        Operands::None | Operands::Selection | Operands::OneVrid | Operands::Check => {}
    }
    words.join(" ")
}

fn options() -> String {
    let options: Vec<&str> = OPTIONS.iter().map(|(option, ..)| *option).collect();
    options.join(" ")
}

fn bash() -> String {
    let mut cases = String::new();
    for command in COMMANDS {
        cases += &format!(
            "        {}) words=\"{}\" ;;\n",
            command.name,
            words(command)
        );
    }
    format!(
        "# Completions of vrrpctl for bash.
_vrrpctl() {{
    local word command words
    local current=\"${{COMP_WORDS[COMP_CWORD]}}\" before=\"${{COMP_WORDS[COMP_CWORD-1]}}\"
    case \"$before\" in
        -s|-f) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;
        -i) mapfile -t COMPREPLY < <(compgen -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"$current\"); return ;;
    esac
    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
        case \"$word\" in
            -*|/*) ;;
            *) [[ \" {names} \" == *\" $word \"* ]] && command=\"$word\" && break ;;
        esac
    done
    case \"$command\" in
{cases}        *) words=\"{names} {options}\" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")
}}
complete -F _vrrpctl vrrpctl
",
        names = names(),
        options = options(),
    )
}

fn zsh() -> String {
    let mut cases = String::new();
    for command in COMMANDS {
        cases += &format!(
            "            {}) compadd -- {} ;;\n",
            command.name,
            words(command)
        );
    }
    format!(
        "#compdef vrrpctl
# Completions of vrrpctl for zsh.
_vrrpctl() {{
    local state
    _arguments -C '(-f)-s[control socket]:file:_files' '(-s)-f[configuration file]:file:_files' \\
        '-i[interface]:interface:_net_interfaces' \\
        '(-6)-4[IPv4]' '(-4)-6[IPv6]' '1:command:({names})' '*::words:->words'
    if [[ $state == words ]]; then
        case $words[1] in
{cases}        esac
    fi
}}
_vrrpctl \"$@\"
",
        names = names(),
    )
}

fn fish() -> String {
    let mut text = format!(
        "# Completions of vrrpctl for fish.
complete -c vrrpctl -f
complete -c vrrpctl -s s -r -F -d 'control socket'
complete -c vrrpctl -s f -r -F -d 'configuration file'
complete -c vrrpctl -s i -x -a '(__fish_print_interfaces)' -d interface
complete -c vrrpctl -s 4 -d IPv4
complete -c vrrpctl -s 6 -d IPv6
complete -c vrrpctl -n 'not __fish_seen_subcommand_from {names}' -a '{names}'
",
        names = names(),
    );
    for command in COMMANDS.iter().filter(|command| !words(command).is_empty()) {
        text += &format!(
            "complete -c vrrpctl -n '__fish_seen_subcommand_from {}' -a '{}'\n",
            command.name,
            words(command)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;

    #[test]
    fn bash_completes_commands_and_their_words() {
        let folder = std::env::temp_dir().join(format!("vrrpctl-bash-{}", std::process::id()));
        std::fs::write(&folder, bash()).expect("a file");
        for (typed, expected) in [
            (vec!["vrrpctl", "sta"], "stats status"),
            (vec!["vrrpctl", "stats", "--o"], "--openmetrics"),
            (vec!["vrrpctl", "-4", "resign", "--"], "--all --json --wait"),
            (vec!["vrrpctl", "-s", "/run/x", "is-"], "is-master"),
        ] {
            let program = format!(
                "source {}; COMP_WORDS=({}); COMP_CWORD={}; _vrrpctl; printf '%s\\n' \"${{COMPREPLY[@]}}\" | sort",
                folder.display(),
                typed.join(" "),
                typed.len() - 1
            );
            let got = Process::new("bash")
                .args(["-c", &program])
                .output()
                .expect("bash(1)");
            let got = String::from_utf8_lossy(&got.stdout);
            let got: Vec<&str> = got.split_whitespace().collect();
            assert_eq!(got.join(" "), expected, "{typed:?}");
        }
        std::fs::remove_file(&folder).expect("the file");
    }

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in ["bash", "zsh", "fish"] {
            let script = script(shell).expect("a shell of ours");
            assert!(COMMANDS.iter().all(|command| script.contains(command.name)));
        }
        assert_eq!(script("tcsh"), None);
    }
}
