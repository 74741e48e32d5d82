//! `cargo xtask package deb` and the step `deb`: Debian's packages, built, judged by lintian, and
//! installed, used, upgraded and purged in a root of their own.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::cross::Machine;
use crate::tools::packages;
use crate::tools::run::{self, Failure, failed, root, target_dir};
use crate::tools::scratch::Scratch;

/// The folder `debian` of the source package.
const DEBIAN: &str = "ports/daemon/packaging/debian";

/// The packages that are built, sorted, which is an order in which they can be removed.
const PACKAGES: [&str; 4] = ["libapache2-mod-vrrp", "libvrrp-dev", "libvrrp0", "vrrpd"];

/// The package that a fresh root needs for ours to be installed without a mirror. httpd, which the module
/// needs, would be a third of the root: the stories of `apache` in the lab use the module.
const INCLUDE: &str = "--include=systemd-standalone-sysusers";

/// How much of the log of a build that failed is shown.
const LAST_LINES: usize = 40;

/// Files and folders that a package manager writes to whatever it installs.
const OTHERS: [&str; 5] = ["var/lib/dpkg", "var/lib/apt", "var/cache", "var/log", "run"];

/// Finds no fault in the packages that lintian calls an error or a warning but for these.
const ACCEPTED: [&str; 1] = [
    // A package that is not in Debian has no request there that asks for it.
    "initial-upload-closes-no-bugs",
];

/// A failover from the installed files: two hosts and a client, each a network namespace. Arguments: the
/// root, the unit.
const STORY: &str = r#"
root=$1 unit=$1/$2
mount -t tmpfs tmpfs /run
mount -t proc proc "$root/proc"
line() { sed -n "s/^$1=//p" "$unit"; }
ip link add segment type bridge
ip link set segment up
for host in a b c; do
    ip netns add $host
    ip link add port-$host type veth peer name eth0 netns $host
    ip link set port-$host master segment up
    ip -n $host link set eth0 up
done
ip -n a addr add 10.10.10.6/24 dev eth0
ip -n b addr add 10.10.10.2/24 dev eth0
ip -n c addr add 10.10.10.5/24 dev eth0
config() {
    printf '%s\n' '[VRID]' 'serverid = 1' 'interface = eth0' "priority = $2" 'advertinterval = 0.1' \
        'addr = 10.10.10.80/32' > "/run/$1.conf"
}
config a 250
config b 100
# The host's own /run, state and configuration.
HOST='mount -t tmpfs tmpfs "$1/run"
mkdir "$1/run/vrrpd"
mkdir -p "$1/var/lib/vrrpd"
mount -t tmpfs -o mode=700 tmpfs "$1/var/lib/vrrpd"
touch "$1/etc/vrrpd.conf"
mount --bind "$2" "$1/etc/vrrpd.conf"
chroot "$1" /usr/sbin/vrrpd --check
exec sleep infinity'
host() {
    ip netns exec $1 unshare --mount sh -euc "$HOST" host "$root" "/run/$1.conf" &
    at=$!
    until [ "$(cat /proc/$at/comm)" = sleep ]; do sleep 0.1; kill -0 $at; done
}
host a; a=$at
host b; b=$at
on() {
    at=$1; shift
    nsenter --target $at --mount --net chroot "$root" "$@"
}
begin() { (exec nsenter --target $1 --mount --net chroot "$root" $(line ExecStart)) & vrrpd=$!; }
soon() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 300 ]
        sleep 0.1
    done
}
master() { on $1 /usr/sbin/vrrpctl is-master 1 > /dev/null 2>&1; }
answered() { ip netns exec c ping -q -c 1 -W 1 10.10.10.80 > /dev/null; }
begin $b
begin $a
soon master $a
soon answered
grep -q "^Uid:.$(sed -n 's/^_vrrp:[^:]*:\([0-9]*\):.*/\1/p' "$root/etc/passwd")[^0-9]" \
    /proc/$(tr -d ' ' < /proc/$vrrpd/task/$vrrpd/children)/status
on $a $(line ExecReload)
# The parent dies, its worker with it, and systemd cleans up.
kill -KILL $vrrpd
wait $vrrpd || true
on $a $(line ExecStopPost)
soon master $b
soon answered
# It returns, and leaves gracefully.
begin $a
soon master $a
kill -TERM $vrrpd
wait $vrrpd
soon master $b
answered
"#;

/// `cargo xtask package deb [--revision N] [--arch arm64]`.
pub(crate) fn command(args: &[String]) -> Result<(), Failure> {
    let usage = || Failure("usage: cargo xtask package deb [--revision N] [--arch arm64]".into());
    let (mut revision, mut machine) = (None, None);
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(usage)?;
        match option.as_str() {
            "--revision" => {
                revision = Some(value.parse().map_err(|_| {
                    let expected =
                        "--revision: expected the number of a Debian revision, such as 2";
                    Failure(format!("{expected}, found '{value}'"))
                })?);
            }
            "--arch" => machine = Some(Machine::parse(value)?),
            _ => return Err(usage()),
        }
    }
    packages::need(packages::DEB)?;
    if machine.is_some() {
        packages::need(packages::DEB_TESTS)?;
    }
    let built = build(revision, machine)?;
    if let Some(machine) = machine {
        built.judge()?;
        built.print_sizes()?;
        built.emulate(machine)?;
    }
    for package in built.packages()? {
        sayln!("{}", package.display());
    }
    Ok(())
}

/// The packages of one version.
pub(crate) struct Built {
    folder: PathBuf,
    /// The names of the packages, sorted.
    names: &'static [&'static str],
}

/// Builds the packages as the revision in debian/changelog, or as another one; for this machine, or for
/// another one.
pub(crate) fn build(revision: Option<u32>, machine: Option<&Machine>) -> Result<Built, Failure> {
    let mut name = machine.map_or("deb".into(), |machine| format!("deb-{}", machine.name));
    if let Some(revision) = revision {
        name = format!("{name}-{revision}");
    }
    let folder = std::path::absolute(target_dir().join(name)).map_err(failed(&root()))?;
    let _ = fs::remove_dir_all(&folder);
    let source = lay_out(&folder, revision)?;
    let ourselves = env::current_exe().map_err(|e| Failure(e.to_string()))?;
    let mut build = Command::new("dpkg-buildpackage");
    // Rust may be no package of Debian's: the tools are looked for when they are used.
    build
        .args(["--build=binary", "--no-sign", "--no-check-builddeps"])
        .current_dir(&source)
        .env("VRRP_SOURCE", root())
        .env("XTASK", ourselves);
    if let Some(machine) = machine {
        build.args(["--build-profiles=cross", "--host-arch", machine.name]);
    }
    // debhelper has a home of its own.
    for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        if let (None, Some(home)) = (env::var_os(variable), env::var_os("HOME")) {
            build.env(variable, Path::new(&home).join(folder));
        }
    }
    let log = folder.join("log");
    sayln!(
        "dpkg-buildpackage takes some minutes, and writes {}",
        log.display()
    );
    let file = fs::File::create(&log).map_err(failed(&log))?;
    let errors = file.try_clone().map_err(failed(&log))?;
    if let Err(failure) = run::run(build.stdout(file).stderr(errors)) {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        return Err(Failure(format!("{failure}; its last lines:\n{last}")));
    }
    let names = match machine {
        None => &PACKAGES[..],
        // apxs compiles modules of httpd for the machine that it is on.
        Some(_) => &PACKAGES[1..],
    };
    Ok(Built { folder, names })
}

/// Makes the source package in `folder`; its path.
fn lay_out(folder: &Path, revision: Option<u32>) -> Result<PathBuf, Failure> {
    let source = folder.join(format!("vrrp-{}", env!("CARGO_PKG_VERSION")));
    fs::create_dir_all(&source).map_err(failed(&source))?;
    run::run(
        Command::new("cp")
            .arg("-a")
            .arg(root().join(DEBIAN))
            .arg(source.join("debian")),
    )?;
    let changelog = source.join("debian/changelog");
    let text = fs::read_to_string(&changelog).map_err(failed(&changelog))?;
    let version = format!("vrrp ({}-", env!("CARGO_PKG_VERSION"));
    if !text.starts_with(&version) {
        let file = changelog.display();
        return Err(Failure(format!("{file}: expected '{version}' first")));
    }
    if let Some(revision) = revision {
        let entry = format!(
            "{version}{revision}) unstable; urgency=medium\n\n  * The same once more.\n\n \
             -- vrrp maintainers <vrrp@packages.debian.org>  Mon, 30 Nov 2026 21:00:00 +0000\n\n"
        );
        fs::write(&changelog, entry + &text).map_err(failed(&changelog))?;
    }
    Ok(source)
}

impl Built {
    pub(crate) fn packages(&self) -> Result<Vec<PathBuf>, Failure> {
        let found = fs::read_dir(&self.folder).map_err(failed(&self.folder))?;
        let mut found: Vec<PathBuf> = found
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .collect();
        found.sort();
        let name = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.split_once('_')?.0.to_owned();
            Some(name)
        };
        let names: Vec<String> = found.iter().filter_map(name).collect();
        match names == self.names {
            true => Ok(found),
            false => Err(Failure(format!("built the packages {names:?}"))),
        }
    }

    /// Prints lintian's words; fails for errors and warnings.
    fn judge(&self) -> Result<(), Failure> {
        let text = run::output(
            Command::new("lintian")
                .args([
                    "--allow-root",
                    "--fail-on",
                    "error,warning",
                    "--tag-display-limit=0",
                ])
                .arg(format!("--suppress-tags={}", ACCEPTED.join(",")))
                .args(self.packages()?),
        )?;
        sayln!(
            "lintian says {} lines of errors or warnings",
            text.lines().count()
        );
        say!("{text}");
        Ok(())
    }

    /// Unpacks the packages and has qemu run the programs and the library.
    fn emulate(&self, machine: &Machine) -> Result<(), Failure> {
        let scratch = Scratch::new("vrrp-emulated")?;
        let unpacked = scratch.path();
        for package in self.packages()? {
            run::run(
                Command::new("dpkg-deb")
                    .arg("--extract")
                    .args([&package, unpacked]),
            )?;
        }
        let emulated = |name: &str| machine.emulate(unpacked.join("usr/sbin").join(name));
        let sample = unpacked.join("usr/share/doc/vrrpd/vrrpd.conf.sample");
        let text = run::output(emulated("vrrpd").arg("--check").arg(sample))?;
        if !text.contains("correct, 2 virtual routers") {
            return Err(Failure(format!("vrrpd --check says:\n{text}")));
        }
        let version = run::stdout(emulated("vrrpctl").arg("--version"))?;
        sayln!("{} for {}: runs", version.trim(), machine.name);
        Ok(())
    }

    fn print_sizes(&self) -> Result<(), Failure> {
        for package in self.packages()? {
            let size = fs::metadata(&package).map_err(failed(&package))?.len();
            let mut query = Command::new("dpkg-deb");
            let query = query.arg("--field").arg(&package).arg("Installed-Size");
            let installed = run::stdout(query)?;
            let name = package.file_name().unwrap_or_default().to_string_lossy();
            let installed = installed.trim();
            sayln!("{:>6} kB, {installed:>5} kB installed: {name}", size / 1000);
        }
        Ok(())
    }
}

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::DEB)?;
    packages::need(packages::DEB_TESTS)?;
    packages::need(packages::NETWORK)?;
    let first = build(None, None)?;
    first.judge()?;
    first.print_sizes()?;
    let second = build(Some(2), None)?;
    let scratch = Scratch::new("vrrp-root")?;
    let fresh = Fresh::new(scratch.path().join("root"))?;
    let before = fresh.tree()?;
    fresh.install(&first)?;
    fresh.enabled()?;
    fresh.tell_story()?;
    // Files of the administrator and of vrrpd stay.
    let theirs = ["etc/vrrpd.conf", "var/lib/vrrpd/overrides"].map(|file| fresh.path(file));
    for file in &theirs {
        let folder = file.parent().unwrap_or(file);
        fs::create_dir_all(folder).map_err(failed(folder))?;
        fs::write(file, "kept").map_err(failed(file))?;
    }
    fresh.install(&second)?;
    fresh.enabled()?;
    for file in &theirs {
        if fs::read_to_string(file).map_err(failed(file))? != "kept" {
            return Err(Failure(format!("an upgrade changes {}", file.display())));
        }
    }
    fs::remove_file(&theirs[0]).map_err(failed(&theirs[0]))?;
    fresh.tell_story()?;
    fs::write(&theirs[0], "kept").map_err(failed(&theirs[0]))?;
    fresh.run("dpkg", &["--remove", "vrrpd"])?;
    if !theirs.iter().all(|file| file.is_file()) {
        return Err(Failure("a removal takes what a purge may take".into()));
    }
    fresh.run("dpkg", &[&["--purge"][..], &PACKAGES].concat())?;
    let after = fresh.tree()?;
    let left: Vec<_> = before.symmetric_difference(&after).collect();
    if !left.is_empty() {
        return Err(Failure(format!("install and purge leave: {left:?}")));
    }
    sayln!("installed, used, upgraded, removed and purged: nothing is left");
    Ok(())
}

/// A root with nothing but Debian.
struct Fresh {
    root: PathBuf,
}

impl Fresh {
    fn new(root: PathBuf) -> Result<Self, Failure> {
        bootstrap(&root, INCLUDE)?;
        Ok(Self { root })
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<String, Failure> {
        let mut command = Command::new("chroot");
        command.arg(&self.root).arg(program).args(args);
        run::output(
            command
                .env("LC_ALL", "C")
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        )
    }

    fn install(&self, built: &Built) -> Result<(), Failure> {
        let folder = self.path("packages");
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let mut names = Vec::new();
        for package in built.packages()? {
            let name = package.file_name().unwrap_or_default();
            fs::copy(&package, folder.join(name)).map_err(failed(&package))?;
            names.push(format!("/packages/{}", name.to_string_lossy()));
        }
        // The module is the first, and depends on the library and on httpd.
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (module, others) = names.split_at(1);
        self.run("dpkg", &[&["--install"][..], others].concat())?;
        self.run(
            "dpkg",
            &[&["--install", "--force-depends"][..], module].concat(),
        )?;
        fs::remove_dir_all(&folder).map_err(failed(&folder))
    }

    /// The service starts with the machine, and waits for a configuration.
    fn enabled(&self) -> Result<(), Failure> {
        let wanted = self.path("etc/systemd/system/multi-user.target.wants/vrrpd.service");
        if !wanted.is_symlink() {
            return Err(Failure("the service is not enabled".into()));
        }
        let unit = self.path(UNIT);
        let text = fs::read_to_string(&unit).map_err(failed(&unit))?;
        match text.contains("\nConditionPathExists=/etc/vrrpd.conf\n") {
            true => Ok(()),
            false => Err(Failure("the unit starts without a configuration".into())),
        }
    }

    fn tell_story(&self) -> Result<(), Failure> {
        let mut story = run::story(STORY);
        story.arg(&self.root).arg(UNIT);
        run::output(&mut story)?;
        let _ = fs::remove_file(self.path("etc/vrrpd.conf"));
        Ok(())
    }

    /// Every file and folder but those of the package manager, and every user and group.
    fn tree(&self) -> Result<BTreeSet<String>, Failure> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let items = fs::read_dir(&folder).map_err(failed(&folder))?;
            for path in items.flatten().map(|item| item.path()) {
                let name = path.strip_prefix(&self.root).unwrap_or(&path);
                if OTHERS.iter().any(|other| name == Path::new(other)) {
                    continue;
                }
                found.insert(name.display().to_string());
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
            }
        }
        // The copies of the files of users and groups from before the last change.
        for file in ["etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-"] {
            found.remove(file);
        }
        for file in ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"] {
            let text = fs::read_to_string(self.path(file)).unwrap_or_default();
            let names = text.lines().filter_map(|line| line.split(':').next());
            found.extend(names.map(|name| format!("{file}: {name}")));
        }
        Ok(found)
    }
}

const UNIT: &str = "lib/systemd/system/vrrpd.service";

/// Makes a root of this release of Debian, with further packages.
pub(crate) fn bootstrap(root: &Path, include: &str) -> Result<(), Failure> {
    let (site, codename) = mirror()?;
    let mut bootstrap = Command::new("debootstrap");
    bootstrap.args(["--variant=minbase", include]);
    run::output(bootstrap.arg(codename).arg(root).arg(site)).map(drop)
}

/// The mirror of Debian's that apt is configured for, and the name of this release.
fn mirror() -> Result<(String, String), Failure> {
    let release =
        fs::read_to_string("/etc/os-release").map_err(failed(Path::new("/etc/os-release")))?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .ok_or_else(|| Failure("/etc/os-release names no release of Debian".into()))?;
    let targets = run::stdout(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(CODENAME) $(ORIGIN) $(SITE)",
        "Created-By: Packages",
    ]))?;
    let ours = format!("{codename} Debian ");
    let site = targets.lines().find_map(|line| line.strip_prefix(&ours));
    let site = site.ok_or_else(|| Failure(format!("apt has no mirror of Debian {codename}")))?;
    Ok((site.to_owned(), codename.to_owned()))
}
