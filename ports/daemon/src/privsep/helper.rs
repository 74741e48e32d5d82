//! The side without rights.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use vrrp_host::VrId;

use super::line::Line;
use super::words::{Ask, MAX_TELL, Name, Remark, Tell, What, octets};
use crate::checks::News;
use crate::scripts::{Happening, Occasion, Runner, ScriptSet};
use crate::sys::Taken;
use vrrp_config::Diagnostic;

/// The process that has the rights, as the other one sees it: it takes signals, reads the
/// configuration file and runs scripts.
#[derive(Debug)]
pub struct Helper {
    line: Line,
    signals: u32,
    configuration: Option<Result<(String, Vec<Remark>), String>>,
    /// News of checks that were not taken yet.
    news: Vec<News>,
    /// Happenings that it was told of, and how many of them it is done with.
    told: u64,
    done: u64,
    /// The last occasion of each virtual router that it may be told of.
    occasions: BTreeMap<VrId, Option<Occasion>>,
    /// It is not there any more.
    gone: Option<io::ErrorKind>,
}

impl Helper {
    /// The one at the other end of `stream`.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        Ok(Self {
            line: Line::new(stream, MAX_TELL)?,
            signals: 0,
            configuration: None,
            news: Vec::new(),
            told: 0,
            done: 0,
            occasions: BTreeMap::new(),
            gone: None,
        })
    }

    /// Readable when [`Helper::take`] is due.
    pub fn fd(&self) -> RawFd {
        self.line.fd()
    }

    /// The start has succeeded.
    pub fn ready(&mut self) {
        self.say(&Ask::Ready);
    }

    /// The signals that have come since the last call. An error: it is gone, and so shall we.
    pub fn take(&mut self) -> io::Result<Taken> {
        self.listen()?;
        Ok(Taken::of(std::mem::take(&mut self.signals)))
    }

    /// Whether [`Helper::take`] is due though nothing is readable: signals came while something
    /// else was waited for, or it is gone.
    pub fn is_due(&self) -> bool {
        self.signals != 0 || self.gone.is_some() || !self.news.is_empty()
    }

    /// The news of checks since the last call.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Lets a check be run now.
    pub fn run_check(&mut self, name: &str) {
        self.say(&Ask::RunCheck(name.to_owned()));
    }

    /// The configuration file as it is now, and the judgement of it.
    pub fn configuration(&mut self) -> Result<(Vec<u8>, Vec<Diagnostic>), String> {
        self.say(&Ask::Configuration);
        loop {
            if let Some(answer) = self.configuration.take() {
                return answer.map(|(text, remarks)| {
                    let diagnostics = remarks.into_iter().map(|remark| remark.0);
                    (octets(&text), diagnostics.collect())
                });
            }
            let waited = self.line.wait_to_hear().and_then(|()| self.listen());
            waited.map_err(|error| format!("the process that reads the file is gone: {error}"))?;
        }
    }

    /// The configuration that was read last is in force.
    pub fn adopted(&mut self) {
        self.say(&Ask::Adopted);
    }

    fn listen(&mut self) -> io::Result<()> {
        if let Some(kind) = self.gone {
            return Err(kind.into());
        }
        while let Some(tell) = self.line.hear()? {
            match tell {
                Tell::Signals(signals) => self.signals |= signals,
                Tell::Configuration(answer) => self.configuration = Some(answer),
                Tell::Checked(news) => self.news.push(news),
                Tell::Done(count) => self.done = count,
            }
        }
        Ok(())
    }

    fn say(&mut self, ask: &Ask) {
        if let Err(error) = self.line.say(ask) {
            // Told by `take`, which the loop comes to.
            self.gone.get_or_insert(error.kind());
        }
    }
}

impl Runner for Helper {
    fn configure(&mut self, id: &VrId, _: ScriptSet) {
        // It has read the file itself.
        self.occasions.entry(id.clone()).or_default();
    }

    fn remove(&mut self, id: &VrId) {
        if self.occasions.remove(id).is_some() {
            self.say(&Ask::Forget(Name::new(id)));
        }
    }

    fn submit(&mut self, id: &VrId, happening: Happening) {
        if let Some(last) = self.occasions.get_mut(id) {
            *last = Some(happening.occasion);
            self.told += 1;
            self.say(&Ask::Happened(Name::new(id), What::new(&happening)));
        }
    }

    fn last_occasion(&self, id: &VrId) -> Option<Occasion> {
        *self.occasions.get(id)?
    }

    fn is_idle(&self) -> bool {
        self.told == self.done
    }

    fn kill_all(&mut self) {
        self.say(&Ask::KillScripts);
    }
}
