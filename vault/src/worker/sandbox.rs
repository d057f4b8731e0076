//! The worker's cage, put on by the worker itself before it reads a byte of a mesh (SECURITY-CASES X1–X3, D8).
//!
//! Three layers, each enough on its own against most of it: resource limits; Landlock, which takes away every
//! file and every port; seccomp, which leaves memory, threads, clocks and the open streams and nothing else.
//! Limits must hold or the worker gives up; the other two are what the kernel offers, and what is missing is
//! said aloud by the vault at its start. Wall-clock time and output are bounded from outside (`parent`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// One layer of the cage that a kernel may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Guard {
    /// Privileges can't be regained, and memory isn't dumped.
    Privileges = 1,
    /// No file and no port can be opened (Landlock).
    Files = 2,
    /// Only harmless system calls pass (seccomp).
    Calls = 4,
    /// Tried once all is on: no file, socket or program can be had.
    Reach = 8,
}

/// Which guards a worker could put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    missing: u8,
}

impl Guard {
    /// Every guard.
    pub const ALL: [Self; 4] = [Self::Privileges, Self::Files, Self::Calls, Self::Reach];

    /// What lacks without it, and the mend.
    pub const fn warning(self) -> &'static str {
        match self {
            Self::Privileges => "workers keep the privileges of the vault: run it on Linux 3.5 or newer",
            Self::Files => "workers can reach files and ports: this kernel has no Landlock, switch it on",
            Self::Reach => {
                "a worker could open a file, a socket or a program: don't take uploads on this machine"
            }
            Self::Calls => {
                "workers can make every system call: this kernel has no seccomp filters, switch them on"
            }
        }
    }
}

impl Confinement {
    /// The guards that are not on.
    pub fn lacking(self) -> impl Iterator<Item = Guard> {
        Guard::ALL.into_iter().filter(move |guard| self.missing & *guard as u8 != 0)
    }

    pub(super) const fn missing(self) -> u8 {
        self.missing
    }

    pub(super) const fn from_missing(missing: u8) -> Self {
        Self { missing }
    }
}

/// Puts on everything this kernel has.
///
/// # Errors
/// When a resource limit could not be set, or there is another thread, which would stay outside the cage.
pub(super) fn confine(memory: u64, seconds: u64) -> io::Result<Confinement> {
    refuse_threads()?;
    // Dumps off: a core file or a debugger would show the geometry (D8).
    let privileges = rustix::thread::set_no_new_privs(true)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .is_ok();
    let files = close_files();
    // After Landlock, which needs a descriptor of its own.
    limit(memory, seconds)?;
    // Last, because it forbids the calls the other guards are put on with.
    let calls = close_calls().is_ok();
    let guards = [
        (privileges, Guard::Privileges),
        (files, Guard::Files),
        (calls, Guard::Calls),
        (!reaches_out(), Guard::Reach),
    ];
    let missing = guards.iter().filter(|(on, _)| !on).map(|(_, guard)| *guard as u8).sum();
    Ok(Confinement { missing })
}

/// Tries what must not work (X1, X2): what the guards promise is believed once it has failed.
fn reaches_out() -> bool {
    File::open("/").is_ok()
        || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_ok()
        || Command::new("/bin/true").spawn().is_ok()
}

fn refuse_threads() -> io::Result<()> {
    // Without /proc there is nothing to count; the programs that call this start no thread before.
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(io::Error::other("the worker must be run before any other thread is started"));
    }
    Ok(())
}

fn limit(memory: u64, seconds: u64) -> io::Result<()> {
    let bounds = [
        (Resource::As, memory),
        (Resource::Cpu, seconds),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, 3),
    ];
    for (resource, most) in bounds {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Handles every right Landlock knows and grants none.
fn close_files() -> bool {
    let restrict = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V5))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .restrict_self()
    };
    restrict().is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Two filters: `clone3` looks absent, because its flags lie behind a pointer no filter can follow and the C
/// library then starts threads with `clone`; everything not on the list is refused.
fn close_calls() -> Result<(), seccompiler::Error> {
    let arch = std::env::consts::ARCH.try_into()?;
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let filters = [
        SeccompFilter::new(clone3, SeccompAction::Allow, absent, arch)?,
        SeccompFilter::new(allowed()?, refused, SeccompAction::Allow, arch)?,
    ];
    for filter in filters {
        let program: BpfProgram = filter.try_into()?;
        seccompiler::apply_filter(&program)?;
    }
    Ok(())
}

/// Calls that work on this process's own memory, threads, clock and open streams. No signal to anyone: `abort`
/// ends by its trap instruction instead.
const HARMLESS: [libc::c_long; 30] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettid,
    libc::SYS_getpid,
];

/// [`HARMLESS`], and `clone` where it makes a thread, never a process.
fn allowed() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    let makes_thread =
        SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), thread)?;
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> =
        HARMLESS.iter().map(|call| (*call, Vec::new())).collect();
    calls.insert(libc::SYS_clone, vec![SeccompRule::new(vec![makes_thread])?]);
    Ok(calls)
}
