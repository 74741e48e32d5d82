//! The daemon's side of the control socket.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{
    DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Gone};
use super::pieces::{Pieces, Reply};
use crate::history::{History, now_ms};
use crate::poll::PollSet;
use crate::sys;
use vrrp_control::{Answer, Log, Record, Request, Since};
use vrrp_port_kit::ledger::try_lock;

/// Clients at the same time.
const MAX_CLIENTS: usize = 16;
/// Of them, those who may only look: root always finds a place.
const MAX_VISITORS: usize = 12;

/// The right of the group and of others to reach what is in a directory.
const SEARCH: u32 = 0o011;

/// How long another daemon, which may be about to end, is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(10);

/// The name of a control socket, held by the process that has the rights. Dropping it removes the name.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Held while we live; the kernel lets go of it however we end.
    _lock: File,
}

/// A listening control socket and its clients.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    /// The user who may do what root may.
    owner: u32,
    clients: Vec<Client>,
    next_client: u64,
    history: History,
}

/// A request that a client may make, and the client.
#[derive(Debug)]
pub struct Asked {
    /// The request.
    pub request: Request,
    /// The user whose it is.
    pub uid: u32,
    client: u64,
}

/// Why there is no control socket.
#[derive(Debug)]
pub enum BindError {
    /// Another vrrpd has it.
    InUse(PathBuf),
    /// The group does not exist.
    NoSuchGroup(String),
    /// The operating system refused.
    Io(PathBuf, io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::InUse(path) => write!(
                f,
                "another vrrpd runs with the control socket {}; give this one a file with its own controlsocket, or stop the other",
                path.display()
            ),
            BindError::NoSuchGroup(group) => {
                write!(f, "controlgroup: there is no group `{group}`")
            }
            BindError::Io(path, error) => {
                write!(f, "control socket {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for BindError {}

impl ControlSocket {
    /// Takes the socket at `path`, for root alone or for a group (name or number) too. A file that
    /// a daemon left which lives no more is replaced; a folder that is missing is made, where all may
    /// look for the socket.
    pub fn bind(path: &Path, group: Option<&str>) -> Result<Self, BindError> {
        let io = |error| BindError::Io(path.to_path_buf(), error);
        let gid = group
            .map(|name| {
                let number = name.parse().ok().or_else(|| sys::group_id(name));
                number.ok_or_else(|| BindError::NoSuchGroup(name.to_owned()))
            })
            .transpose()?;
        make_folder(path).map_err(io)?;
        let lock = lock(path).map_err(io)?;
        let lock = lock.ok_or_else(|| BindError::InUse(path.to_path_buf()))?;
        remove_socket(path).map_err(io)?;
        // Connections must wait until owner and mode are right.
        let mask = sys::umask(0o177);
        let bound = UnixListener::bind(path);
        sys::umask(mask);
        let listener = bound.map_err(io)?;
        listener.set_nonblocking(true).map_err(io)?;
        if let Some(gid) = gid {
            chown(path, None, Some(gid)).map_err(io)?;
            fs::set_permissions(path, Permissions::from_mode(0o660)).map_err(io)?;
            if let Some(why) = unreachable(path, gid) {
                log::warn!("controlgroup: its members cannot use the control socket: {why}");
            }
        }
        Ok(Self {
            listener,
            path: path.to_path_buf(),
            _lock: lock,
        })
    }

    /// A copy of the descriptor that listens, for a [`Server`].
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Server {
    /// Serves the clients of a [`ControlSocket`], of whom `owner` may do what root may.
    pub fn new(listener: UnixListener, owner: u32) -> Self {
        Self {
            listener,
            owner,
            clients: Vec::new(),
            next_client: 0,
            history: History::default(),
        }
    }

    /// The user who may do what root may.
    pub const fn owner(&self) -> u32 {
        self.owner
    }

    /// Goes on after the history of an earlier process.
    pub fn restore(&mut self, records: Vec<Record>) {
        self.history.restore(records);
    }

    /// The history.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The number of clients.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Adds what has to be waited for.
    pub fn register(&self, set: &mut PollSet) {
        set.read(self.listener.as_raw_fd());
        for client in &self.clients {
            if client.has_output() {
                set.write(client.fd());
            }
            if client.is_read() {
                set.read(client.fd());
            }
        }
    }

    /// When [`Server::take_request`] is due even though nothing is ready.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let next = self.history.next();
        if self.clients.iter().any(|client| client.has_work(next)) {
            return Some(now);
        }
        self.clients.iter().filter_map(Client::deadline).min()
    }

    /// Takes new clients, and takes one request or makes one piece of an answer: the protocol has its turn
    /// before the next, however many clients ask. They are served in turn.
    pub fn take_request(&mut self, set: &PollSet, now: Instant) -> Option<Asked> {
        let (mut place, mut served, mut asked) = (0, None, None);
        let history = &self.history;
        self.clients.retain_mut(|client| {
            let ready = set.ready(client.fd());
            let kept = transfer(client, ready, now).and_then(|()| {
                if served.is_none() && client.has_work(history.next()) {
                    served = Some(place + 1);
                    asked = serve(client, history, now);
                    return client.flush(now);
                }
                Ok(())
            });
            let stays = kept.is_ok() && client.deadline().is_none_or(|at| at > now);
            if !stays && served == Some(place + 1) {
                asked = None;
            }
            place += usize::from(stays);
            stays
        });
        if let Some(served) = served {
            let served = served.min(self.clients.len());
            self.clients.rotate_left(served);
        }
        // The client that was served is the last one now.
        let client = self.clients.last_mut().filter(|_| asked.is_some());
        let asked = asked.zip(client).map(|(request, client)| {
            client.wait();
            Asked {
                request,
                uid: client.uid,
                client: client.number,
            }
        });
        if set.ready(self.listener.as_raw_fd()) {
            self.accept(now);
        }
        asked
    }

    /// Answers a request that was taken, at once or later. Its client may have gone.
    pub fn answer(&mut self, asked: &Asked, reply: Reply, now: Instant) {
        let place = self.clients.iter().position(|c| c.number == asked.client);
        let Some((place, client)) = place.and_then(|at| Some((at, self.clients.get_mut(at)?)))
        else {
            return;
        };
        match reply {
            Reply::Whole(answer) => client.answer(&answer, now),
            Reply::InPieces(pieces) => client.answer_in_pieces(pieces, now),
        }
        if client.flush(now).is_err() {
            self.clients.remove(place);
        }
    }

    /// Takes a request and answers it.
    pub fn handle(
        &mut self,
        set: &PollSet,
        now: Instant,
        answer: &mut dyn FnMut(&Request) -> Reply,
    ) {
        if let Some(asked) = self.take_request(set, now) {
            let reply = answer(&asked.request);
            self.answer(&asked, reply, now);
        }
    }

    /// Adds a record to the history, and has those told who asked for events, by the next
    /// [`handle`](Self::handle). Returns it with its number.
    pub fn publish(&mut self, record: impl Into<Record>, time_ms: u64) -> Record {
        self.history.push(record.into(), time_ms)
    }

    fn accept(&mut self, now: Instant) {
        // Bounded: who knocks faster than this is heard in the next turn.
        for _ in 0..MAX_CLIENTS {
            let Ok((stream, _)) = self.listener.accept() else {
                return;
            };
            if let Some(client) = self.admit(stream, now) {
                self.clients.push(client);
            }
        }
    }

    fn admit(&mut self, stream: UnixStream, now: Instant) -> Option<Client> {
        stream.set_nonblocking(true).ok()?;
        let uid = sys::peer_uid(&stream).ok()?;
        let admin = uid == 0 || uid == self.owner;
        let visitors = self.clients.iter().filter(|c| !c.admin).count();
        let full = self.clients.len() >= MAX_CLIENTS || (!admin && visitors >= MAX_VISITORS);
        self.next_client += 1;
        let mut client = Client::new(stream, self.next_client, (uid, admin), now);
        if full {
            client.answer(&Answer::error("too many clients"), now);
            let _ = client.flush(now);
            return None;
        }
        Some(client)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The lock file stays: removing it would let two daemons lock two files of one name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Sends what waits to be sent, and reads what has come.
fn transfer(client: &mut Client, ready: bool, now: Instant) -> Result<(), Gone> {
    if client.has_output() && ready {
        client.flush(now)?;
    }
    if ready && client.is_read() {
        client.read(now)?;
    }
    if client.has_output() {
        client.flush(now)?;
    }
    Ok(())
}

/// Makes a piece of an answer, or takes a request. What needs no more than this client is answered.
fn serve(client: &mut Client, history: &History, now: Instant) -> Option<Request> {
    if client.go_on(now) || client.catch_up(history, now) {
        return None;
    }
    let line = client.request()?;
    let answer = match serde_json::from_slice::<Request>(&line) {
        Err(error) => Answer::error(format!("not a request: {error}")),
        Ok(request) if request.is_admin() && !client.admin => {
            Answer::error("only root may do this; you may look")
        }
        Ok(Request::Events(since)) => {
            let next = history.next();
            let first = history.first(&since, now_ms()).unwrap_or(next);
            // Of another life, whose history is lost: all that there is.
            let first = if first > next { 1 } else { first };
            client.subscribe(first);
            Answer::Events { next }
        }
        Ok(Request::Log(since)) => {
            match log(history, &since) {
                Reply::Whole(answer) => client.answer(&answer, now),
                Reply::InPieces(pieces) => client.answer_in_pieces(pieces, now),
            }
            return None;
        }
        Ok(request) => return Some(request),
    };
    client.answer(&answer, now);
    None
}

/// The answer to [`Request::Log`].
fn log(history: &History, since: &Since) -> Reply {
    let first = history.first(since, now_ms()).unwrap_or(1);
    let asked_for = since
        .since
        .map_or(0, |seq| history.forgotten(seq.saturating_add(1)));
    let log = Log {
        next: history.next(),
        forgotten: asked_for,
        records: Vec::new(),
    };
    let records: Vec<Record> = history.from(first).cloned().collect();
    Pieces::of_list(&Answer::Log(log), "\"records\":[", records, Record::clone)
}

/// Removes what a daemon has left that lives no more: a socket, and nothing else.
fn remove_socket(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => {
            let why = "there is something else of that name, which is not a socket";
            Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
        }
        Err(error) => Err(error),
    };
    match there {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes the folder of `path`, but not those above it, unless it is there.
fn make_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    match DirBuilder::new().mode(0o755).create(folder) {
        // The umask may have taken the group's right to search.
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Lets everybody reach what is in a directory of ours, without seeing what there is.
///
/// # Errors
/// It is no directory of ours, or the operating system refused.
pub fn allow_search(folder: &Path) -> io::Result<()> {
    let meta = match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        meta => meta?,
    };
    let mode = meta.mode() & 0o7777;
    if !meta.is_dir() || meta.uid() != sys::effective_uid() {
        return Err(io::Error::other("it is not a directory of ours"));
    }
    if mode & SEARCH == SEARCH {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(mode | SEARCH))?;
    log::info!(
        "{}: mode {mode:o} is {:o} now, as controlgroup has to reach the control socket in it",
        folder.display(),
        mode | SEARCH
    );
    Ok(())
}

/// Returns which directory above a socket keeps the members of a group out, if one does.
pub(super) fn unreachable(path: &Path, gid: u32) -> Option<String> {
    path.ancestors().skip(1).find_map(|folder| {
        let meta = fs::metadata(folder).ok()?;
        let searched = if meta.gid() == gid { 0o010 } else { 0o001 };
        (meta.mode() & searched == 0).then(|| {
            let (shown, mode) = (folder.display(), meta.mode() & 0o7777);
            format!(
                "the directory {shown} has mode {mode:o}: chmod {:o} {shown}",
                mode | searched
            )
        })
    })
}

/// Takes the lock, which a daemon that was just killed holds for a moment. `None`: somebody else
/// holds it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(sys::CAREFUL)
        .open(name)?;
    let patience = Instant::now() + PATIENCE;
    loop {
        if try_lock(&file)? {
            return Ok(Some(file));
        }
        if Instant::now() >= patience {
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}
