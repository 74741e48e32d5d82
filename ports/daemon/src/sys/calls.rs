//! The system calls that the worker process may make (seccomp(2)).

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refuses every system call from now on that is not in the list. One that is refused fails with EPERM:
/// a C library that needs another one than those known here fails to do a thing, and does not crash.
pub(super) fn install() -> io::Result<()> {
    let architecture = std::env::consts::ARCH.try_into();
    let architecture = architecture.map_err(io::Error::other)?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let rules = allowed().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture);
    let filter = filter.map_err(io::Error::other)?;
    let program: seccompiler::BpfProgram = filter.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// The calls that may be made with any arguments: on descriptors that are there, and on memory.
const FREE: &[libc::c_long] = &[
    // Descriptors. No call makes one but accept4 and recvmsg, and none binds or configures a socket.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_accept4,
    libc::SYS_ppoll,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_ctl,
    libc::SYS_timerfd_settime,
    // Time. Without the capability to change the clock the second call tells alone.
    libc::SYS_clock_gettime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    // Memory, but no code: see below for the rest.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_getrandom,
    libc::SYS_futex,
    // The end, also after a panic.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // The older forms of what is above.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// Numbers of the C library, whose types differ from system to system.
#[allow(clippy::unnecessary_cast)]
fn allowed() -> Result<Rules, BackendError> {
    let mut rules: Rules = FREE
        .iter()
        .map(|call| (number(*call), Vec::new()))
        .collect();
    // send(2), and nothing to an address: a packet socket would send to any interface.
    let nowhere = rule([(4, Len::Qword, Op::Eq, 0)])?;
    rules.insert(number(libc::SYS_sendto), vec![nowhere]);
    let mut only = |call, arguments: &[(u8, u64)]| -> Result<(), BackendError> {
        let arguments = arguments.iter();
        let conditions = arguments.map(|&(at, value)| (at, Len::Dword, Op::Eq, value));
        let rule = rule(conditions)?;
        rules.entry(number(call)).or_default().push(rule);
        Ok(())
    };
    // O_NONBLOCK, in either way.
    only(libc::SYS_ioctl, &[(1, libc::FIONBIO as u64)])?;
    only(libc::SYS_fcntl, &[(1, libc::F_GETFL as u64)])?;
    only(libc::SYS_fcntl, &[(1, libc::F_SETFL as u64)])?;
    only(libc::SYS_fcntl, &[(1, libc::F_GETFD as u64)])?;
    // The user at the other end of the control socket.
    let asked = [(1, libc::SOL_SOCKET as u64), (2, libc::SO_PEERCRED as u64)];
    only(libc::SYS_getsockopt, &asked)?;
    // abort(3), and no signal to another process.
    only(libc::SYS_tgkill, &[(0, std::process::id().into())])?;
    let no_code = Op::MaskedEq(libc::PROT_EXEC as u64);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let rule = rule([(2, Len::Dword, no_code.clone(), 0)])?;
        rules.insert(number(call), vec![rule]);
    }
    Ok(rules)
}

fn rule(
    conditions: impl IntoIterator<Item = (u8, Len, Op, u64)>,
) -> Result<SeccompRule, BackendError> {
    let conditions = conditions
        .into_iter()
        .map(|(at, len, op, value)| SeccompCondition::new(at, len, op, value));
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

/// A call's number as the filter has it, on every system.
#[allow(clippy::useless_conversion)]
fn number(call: libc::c_long) -> i64 {
    call.into()
}
