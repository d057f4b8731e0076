//! The worker's cage, put on by the worker itself before it reads a byte of a mesh (SECURITY-CASES X1–X3, D8).
//!
//! Three layers, each enough on its own against most of it: resource limits; Landlock, which takes away every
//! file and every port; seccomp, which leaves memory, threads, clocks and the open streams and nothing else.
//! Limits must hold or the worker gives up; the other two are what the kernel offers, and what is missing is
//! said aloud by the vault at its start. Wall-clock time and output are bounded from outside (`parent`).
//!
//! A foreign engine's cage is wider by what a program needs to start and to work: it reads the system's own programs and
//! libraries, reads and writes the one room it is given, and still has no network, no process beside it, no signal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
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

/// Who is in the cage.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cage<'a> {
    /// Our own code, which has what it works on in its streams.
    Worker,
    /// A program of others.
    Engine(Room<'a>),
}

/// What a program of others is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room<'a> {
    /// The program.
    pub(super) program: &'a Path,
    /// The one folder it may write in.
    pub(super) folder: &'a Path,
    /// Longest file it may write.
    pub(super) file: u64,
}

/// Puts on everything this kernel has.
///
/// # Errors
/// When a resource limit could not be set, or there is another thread, which would stay outside the cage.
pub(super) fn confine(cage: Cage<'_>, memory: u64, seconds: u64) -> io::Result<Confinement> {
    refuse_threads()?;
    // Dumps off: a core file or a debugger would show the geometry (D8).
    let privileges = rustix::thread::set_no_new_privs(true)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .is_ok();
    let files = close_files(cage);
    // After Landlock, which needs a descriptor of its own.
    limit(cage, memory, seconds)?;
    // Last, because it forbids the calls the other guards are put on with.
    let calls = close_calls(cage).is_ok();
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

fn limit(cage: Cage<'_>, memory: u64, seconds: u64) -> io::Result<()> {
    let (file, files) = match cage {
        Cage::Worker => (0, 3),
        Cage::Engine(room) => (room.file, 64),
    };
    let bounds = [
        (Resource::As, memory),
        (Resource::Cpu, seconds),
        (Resource::Fsize, file),
        (Resource::Core, 0),
        (Resource::Nofile, files),
    ];
    for (resource, most) in bounds {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// The system's own programs and libraries, and what they look up when they start.
const SYSTEM: [&str; 9] = [
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/sys/devices/system/cpu/online",
    "/dev/urandom",
    "/proc/meminfo",
];

/// Handles every right Landlock knows; grants none to a worker, the system's files and the room to an engine.
fn close_files(cage: Cage<'_>) -> bool {
    let restrict = || {
        let rules = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V5))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?;
        let rules = match cage {
            Cage::Worker => rules,
            Cage::Engine(room) => {
                let (read, all) = (AccessFs::from_read(ABI::V5), AccessFs::from_all(ABI::V5));
                rules
                    .add_rules(path_beneath_rules(SYSTEM, read))?
                    .add_rules(path_beneath_rules([room.program], read))?
                    .add_rules(path_beneath_rules([room.folder], all & !AccessFs::Execute))?
            }
        };
        rules.restrict_self()
    };
    restrict().is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Two filters: `clone3` looks absent, because its flags lie behind a pointer no filter can follow and the C
/// library then starts threads with `clone`; everything not on the list is refused.
fn close_calls(cage: Cage<'_>) -> Result<(), seccompiler::Error> {
    let arch = std::env::consts::ARCH.try_into()?;
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let filters = [
        SeccompFilter::new(clone3, SeccompAction::Allow, absent, arch)?,
        SeccompFilter::new(allowed(cage)?, refused, SeccompAction::Allow, arch)?,
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

/// What a program needs beside: to start, and files, as far as Landlock lets it. Neither `fcntl` nor `prlimit64` of
/// another process: with the first a signal can be had, with the second another one's limits.
const OF_A_PROGRAM: [libc::c_long; 35] = [
    libc::SYS_execve,
    libc::SYS_set_tid_address,
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_lseek,
    libc::SYS_dup3,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_ppoll,
    libc::SYS_chdir,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_umask,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_membarrier,
];

/// The same under the names that only this architecture still has.
#[cfg(target_arch = "x86_64")]
const OF_OLD: [libc::c_long; 13] = [
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OF_OLD: [libc::c_long; 0] = [];

/// [`HARMLESS`], and `clone` where it makes a thread, never a process; for an engine what programs need.
fn allowed(cage: Cage<'_>) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    let makes_thread =
        SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), thread)?;
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> =
        HARMLESS.iter().map(|call| (*call, Vec::new())).collect();
    calls.insert(libc::SYS_clone, vec![SeccompRule::new(vec![makes_thread])?]);
    if let Cage::Engine(_) = cage {
        calls.extend(OF_A_PROGRAM.iter().chain(&OF_OLD).map(|call| (*call, Vec::new())));
        let is = |argument: u8, value: u64| {
            SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)
        };
        let names_itself = is(0, libc::PR_SET_NAME.unsigned_abs().into())?;
        calls.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![names_itself])?]);
        calls.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![is(0, 0)?])?]);
    }
    Ok(calls)
}
