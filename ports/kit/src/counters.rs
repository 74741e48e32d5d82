//! Counters of a platform.

/// The counts of events below the protocol, since the platform was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that the kernel took.
    pub frames_sent: u64,
    /// Frames that it did not take, or whose interface does not exist.
    pub frames_refused: u64,
    /// Frames given to the host.
    pub frames_received: u64,
    /// Frames too long for the buffers, which no advertisement is.
    pub frames_too_long: u64,
    /// Times that the interfaces were listed anew, because the kernel dropped notices or something
    /// of ours seemed to be gone.
    pub resyncs: u64,
}
