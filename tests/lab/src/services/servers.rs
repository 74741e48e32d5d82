//! Debian's apache2, sendmail, sshd and tcpserver, each with an answer that names its host.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use rustls::pki_types::CertificateDer;

use super::{SITE, Service, folder, ready, shared_folder, succeed, write, write_program};
use crate::Daemon;
use crate::host::Host;

/// The certificate of both web servers.
pub(super) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pem: String,
    key_pem: String,
}

/// The certificate for [`SITE`], which this process has made.
pub(super) fn certificate() -> &'static Certificate {
    static MADE: LazyLock<Certificate> = LazyLock::new(|| {
        let made = rcgen::generate_simple_self_signed([SITE.to_owned()]).expect("a certificate");
        Certificate {
            der: made.cert.der().clone(),
            pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
        }
    });
    &MADE
}

/// Files with the certificate and with its key.
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    key: PathBuf,
}

/// Writes the certificate of both web servers to files of a host.
pub(super) fn web_certificate(host: &Host) -> Files {
    let dir = folder(host, "apache2");
    let files = Files {
        certificate: dir.join("certificate.pem"),
        key: dir.join("key.pem"),
    };
    write(&files.certificate, &certificate().pem);
    write(&files.key, &certificate().key_pem);
    files
}

/// Starts apache2 with its defaults, on port 80, or with TLS on port 443.
pub fn apache(host: &Host, tls: bool) -> Daemon {
    let (dir, name) = (folder(host, "apache2"), host.name());
    write(&dir.join("whoami"), format!("{name}\n"));
    let shown = dir.display();
    let modules = "/usr/lib/apache2/modules";
    let listen = match tls {
        false => "Listen 80\n".to_owned(),
        true => {
            let files = web_certificate(host);
            format!(
                "LoadModule ssl_module {modules}/mod_ssl.so\nListen 443\nSSLEngine on\n\
                 SSLSessionCache none\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\n",
                files.certificate.display(),
                files.key.display()
            )
        }
    };
    let conf = format!(
        "ServerName {name}\nServerRoot {shown}\nDefaultRuntimeDir {shown}\nPidFile {shown}/pid\n\
         ErrorLog /dev/stderr\nUser www-data\nGroup www-data\nDocumentRoot {shown}\n\
         LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
         LoadModule authz_core_module {modules}/mod_authz_core.so\n{listen}"
    );
    let path = dir.join("conf");
    write(&path, conf);
    let mut command = Command::new("/usr/sbin/apache2");
    command.args(["-DFOREGROUND", "-f"]).arg(path);
    Daemon::run(host, "apache2", command)
}

/// Starts sendmail as the paper has it: the wildcard, and a greeting with the name of the host.
pub(super) fn sendmail(host: &Host) -> Daemon {
    let dir = folder(host, "sendmail");
    std::fs::create_dir_all(dir.join("queue")).expect("a folder");
    write(
        &dir.join("switch"),
        "hosts files\naliases files\npasswd files\n",
    );
    let (shown, name) = (dir.display(), format!("{}.example.org", host.name()));
    let source = format!(
        "include(`/usr/share/sendmail/cf/m4/cf.m4')dnl\nOSTYPE(`debian')dnl\n\
         FEATURE(`no_default_msa')dnl\nDAEMON_OPTIONS(`Addr=0.0.0.0')dnl\n\
         define(`confDOMAIN_NAME', `{name}')dnl\ndefine(`confSMTP_LOGIN_MSG', `$j ESMTP No UCE')dnl\n\
         define(`QUEUE_DIR', `{shown}/queue')dnl\ndefine(`confPID_FILE', `{shown}/pid')dnl\n\
         define(`confSERVICE_SWITCH_FILE', `{shown}/switch')dnl\n\
         define(`STATUS_FILE', `{shown}/statistics')dnl\ndefine(`ALIAS_FILE', `')dnl\n\
         define(`confHOST_STATUS_DIRECTORY', `')dnl\n\
         define(`confQUEUE_LA', `1000')dnl\ndefine(`confREFUSE_LA', `1000')dnl\nMAILER(`smtp')dnl\n"
    );
    let path = dir.join("sendmail.mc");
    write(&path, source);
    let made = Command::new("m4").arg(&path).output().expect("run m4");
    assert!(made.status.success(), "{made:?}");
    let conf = dir.join("sendmail.cf");
    write(&conf, made.stdout);
    // It takes no name of a host that has no dot.
    let start = format!(
        "hostname {name} && exec /usr/libexec/sendmail/sendmail -bD -C {}",
        conf.display()
    );
    let mut command = Command::new("unshare");
    command.args(["--uts", "sh", "-c", &start]);
    Daemon::run(host, "sendmail", command)
}

/// Starts tcpserver as the paper has it, with a program for each connection.
pub(super) fn tcpserver(host: &Host, on: &str, port: u16, program: &[&str]) -> Daemon {
    let mut command = Command::new("tcpserver");
    command.args(["-vHRl0", "-c", "200", "--", on, &port.to_string()]);
    command.args(program);
    ready(Daemon::run(host, "tcpserver", command), "tcpserver: status")
}

/// Makes a key of ssh, once.
fn ssh_key(path: &std::path::Path) {
    if !path.exists() {
        let mut make = Command::new("ssh-keygen");
        succeed(make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path));
    }
}

/// Starts sshd with a banner, and with a host certificate for [`SITE`] of the authority of both hosts.
pub(super) fn sshd(host: &Host) -> Daemon {
    let (dir, name) = (folder(host, "sshd"), host.name());
    let authority = shared_folder(host, "sshd").join("authority");
    ssh_key(&authority);
    let key = dir.join("key");
    if !key.exists() {
        ssh_key(&key);
        let mut sign = Command::new("ssh-keygen");
        sign.arg("-q").arg("-s").arg(&authority);
        sign.args(["-h", "-I", name, "-n", SITE]);
        succeed(sign.arg(dir.join("key.pub")));
    }
    // The folder that its unit makes.
    std::fs::create_dir_all("/run/sshd").expect("a folder");
    write(&dir.join("banner"), format!("this is {name}\n"));
    let shown = dir.display();
    let conf = format!(
        "HostKey {shown}/key\nHostCertificate {shown}/key-cert.pub\nBanner {shown}/banner\n\
         PidFile none\nUsePAM no\nVersionAddendum {name}\nMaxStartups 200\n"
    );
    write(&dir.join("conf"), conf);
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f", &format!("{shown}/conf")]);
    Daemon::run(host, "sshd", command)
}

/// Logs in by ssh at the address of [`Service::Sshd`] as a client that knows the authority and neither of
/// the hosts, and returns what ssh says: it has no key of a user.
pub fn certified_by(client: &Host) -> String {
    let authority = shared_folder(client, "sshd").join("authority.pub");
    let authority = std::fs::read_to_string(authority).expect("the authority's key");
    let known = folder(client, "ssh").join("known_hosts");
    write(&known, format!("@cert-authority {SITE} {authority}"));
    let mut ssh = Command::new("ssh");
    ssh.args([
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
    ]);
    ssh.args(["-o", "PreferredAuthentications=password"]);
    ssh.args(["-o", &format!("HostKeyAlias={SITE}")]);
    ssh.args(["-o", "GlobalKnownHostsFile=none"]);
    ssh.args(["-o", &format!("UserKnownHostsFile={}", known.display())]);
    ssh.args(["-l", "nobody", Service::Sshd.address(), "true"]);
    let said = client.stack().enter(|| ssh.output().expect("run ssh"));
    String::from_utf8_lossy(&said.stderr).into_owned()
}

/// Writes the paper's event scripts for a service, and returns the lines that name them.
pub(super) fn scripts(host: &Host, service: Service) -> [String; 2] {
    let command = |event: &str| match (service, event) {
        (Service::TinydnsSupervised, "master") => {
            format!("svc -u {}", folder(host, "tinydns").display())
        }
        (Service::TinydnsSupervised, _) => format!("svc -d {}", folder(host, "tinydns").display()),
        _ => format!(
            "rndc -c {}/rndc.conf reload",
            folder(host, "named").display()
        ),
    };
    ["master", "backup"].map(|event| {
        let path = host.dir().join(format!("vrid1_{event}.sh"));
        write_program(&path, &format!("#!/bin/sh\n{}\n", command(event)));
        format!("{event}script = {}", path.display())
    })
}
