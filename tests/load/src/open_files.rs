//! Open files: each session takes one here and one in the server, which inherits this process's limit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Failed;

/// For everything that isn't a session.
const OTHERS: u64 = 500;

/// Raises the limit as far as this user may, and says what is missing if that is too little.
pub fn allow(sessions: usize) -> Result<(), Failed> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = sessions as u64 + OTHERS;
    if limit.maximum.is_some_and(|most| most < wanted) {
        let most = limit.maximum.unwrap_or_default();
        return Err(Failed(format!(
            "{sessions} sessions need {wanted} open files in each of two processes and this user may have {most}: raise \
             the hard limit (`ulimit -Hn {wanted}` as root, LimitNOFILE= in a unit, nofile in limits.conf), or ask for \
             at most {} sessions",
            most.saturating_sub(OTHERS)
        )));
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| Failed::at("open files", error))
}
