//! The stream between vrrpd and this process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use vrrp_config::{MAX_MESSAGE, Order, Report};

/// The orders that come.
pub(crate) struct Reader {
    stream: OwnedReadHalf,
}

impl Reader {
    pub(crate) fn new(stream: OwnedReadHalf) -> Self {
        Self { stream }
    }

    /// Waits for the next order. `None`: vrrpd is gone.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Order>> {
        let mut head = [0; 4];
        match self.stream.read_exact(&mut head).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        };
        let len = u32::from_ne_bytes(head) as usize;
        if len > MAX_MESSAGE {
            return Err(io::Error::other("an order is too long"));
        }
        let mut octets = vec![0; len];
        self.stream.read_exact(&mut octets).await?;
        Ok(Some(serde_json::from_slice(&octets)?))
    }
}

/// The reports that go. While vrrpd is busy only the latest of each check waits.
#[derive(Clone)]
pub(crate) struct Reports {
    waiting: Rc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    reports: RefCell<BTreeMap<String, Report>>,
    news: Notify,
}

impl Reports {
    pub(crate) fn new(stream: OwnedWriteHalf) -> Self {
        let waiting = Rc::new(Waiting::default());
        tokio::task::spawn_local(write(stream, waiting.clone()));
        Self { waiting }
    }

    pub(crate) fn send(&self, mut report: Report) {
        let mut reports = self.waiting.reports.borrow_mut();
        if let Some(older) = reports.remove(&report.name) {
            // An explanation that was asked for is not lost.
            report.steps = report.steps.or(older.steps);
        }
        reports.insert(report.name.clone(), report);
        self.waiting.news.notify_one();
    }

    /// Drops what waits about a check that is gone.
    pub(crate) fn forget(&self, name: &str) {
        self.waiting.reports.borrow_mut().remove(name);
    }
}

async fn write(mut stream: OwnedWriteHalf, waiting: Rc<Waiting>) {
    loop {
        waiting.news.notified().await;
        loop {
            let next = waiting.reports.borrow_mut().pop_first();
            let Some((_, report)) = next else { break };
            let Ok(octets) = serde_json::to_vec(&report) else {
                continue;
            };
            let mut message = (octets.len() as u32).to_ne_bytes().to_vec();
            message.extend_from_slice(&octets);
            if stream.write_all(&message).await.is_err() {
                // The end of the orders ends this process.
                return;
            }
        }
    }
}
