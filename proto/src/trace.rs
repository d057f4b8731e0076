//! Which call brought which about: the W3C trace context (Level 1, `traceparent`), carried in gRPC metadata from
//! whoever began something to every service that works on it.
//!
//! A service's door reads it or begins one, and everything done for the call stands within [`within`]: [`Carry`] puts
//! it on calls to other services, and logs show it. It says nothing about anybody and is believed by nobody.
//! Deliberately absent: a collector. Logs carry the ids; whoever wants spans elsewhere reads them there.

use std::fmt;
use std::future::Future;

use tonic::service::Interceptor;
use tonic::{Request, Status};

/// The header's name.
pub const HEADER: &str = "traceparent";

tokio::task_local! {
    static CURRENT: Trace;
}

/// One step of something that several services work on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    whole: [u8; 16],
    step: [u8; 8],
}

impl Trace {
    /// Begins something new. Random bytes, not all zero.
    pub fn begin(whole: [u8; 16], step: [u8; 8]) -> Self {
        Self { whole, step }
    }

    /// The next step of the same thing.
    #[must_use]
    pub fn next(self, step: [u8; 8]) -> Self {
        Self { step, ..self }
    }

    /// Reads a header; nothing for one that is not of version 00's form, which a service then begins anew.
    pub fn parse(header: &str) -> Option<Self> {
        let [version, whole, step, flags] = header.split('-').collect::<Vec<_>>().try_into().ok()?;
        let flags: [u8; 1] = hex(flags)?;
        // A later version may have more to say, which we would drop silently.
        let known = version == "00" && flags[0] <= 3;
        let trace = Self { whole: hex(whole)?, step: hex(step)? };
        (known && trace.whole != [0; 16] && trace.step != [0; 8]).then_some(trace)
    }

    /// The header.
    pub fn header(self) -> String {
        format!("00-{self}-{:016x}-01", u64::from_be_bytes(self.step))
    }

    /// The step that the running task stands in.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|trace| *trace).ok()
    }
}

/// What the steps have in common, as logs show it.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.whole))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.header())
    }
}

/// Lower-case digits only, as the standard has them.
fn hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

/// Runs `work` as part of this step.
pub fn within<F: Future>(trace: Trace, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(trace, work)
}

/// Where a task stood: what others do for it later, in tasks of their own, can be made part of it.
#[derive(Clone)]
pub struct Heritage {
    trace: Option<Trace>,
    span: tracing::Span,
}

impl Heritage {
    /// Where the running task stands.
    pub fn here() -> Self {
        Self { trace: Trace::current(), span: tracing::Span::current() }
    }

    /// Runs `work` there.
    pub fn around<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        use tracing::Instrument as _;
        let (trace, work) = (self.trace, work.instrument(self.span));
        async move {
            match trace {
                Some(trace) => CURRENT.scope(trace, work).await,
                None => work.await,
            }
        }
    }
}

impl Default for Heritage {
    /// Nowhere.
    fn default() -> Self {
        Self { trace: None, span: tracing::Span::none() }
    }
}

impl fmt::Debug for Heritage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heritage").field(&self.trace).finish()
    }
}

/// Lets `work`, which is to run as a task of its own, stand where the running one does.
pub fn inherited<F: Future>(work: F) -> impl Future<Output = F::Output> {
    Heritage::here().around(work)
}

/// Puts the step the caller stands in on what it asks of another service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carry;

impl Interceptor for Carry {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = Trace::current().and_then(|trace| trace.header().parse().ok()) {
            request.metadata_mut().insert(HEADER, header);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_standards_own_example_reads_back() {
        let trace = Trace::parse(GOOD).expect("it is of version 00");
        assert_eq!(trace.header(), GOOD);
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let next = trace.next([1; 8]).header();
        assert_eq!(next, "00-4bf92f3577b34da6a3ce929d0e0e4736-0101010101010101-01");
    }

    #[test]
    fn what_is_no_header_is_nothing() {
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e47\u{e9}6-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_call_and_a_task_of_its_own_stand_where_their_caller_does() {
        let trace = Trace::parse(GOOD).expect("good");
        let carried = || {
            let request = Carry.call(Request::new(())).expect("it refuses nothing");
            request.metadata().get(HEADER).map(|header| header.to_str().unwrap_or_default().to_owned())
        };
        assert_eq!(carried(), None);
        within(trace, async {
            assert_eq!(carried().as_deref(), Some(GOOD));
            let inherited = tokio::spawn(inherited(async { Trace::current() }));
            assert_eq!(inherited.await.expect("it ran"), Some(trace));
            let alone = tokio::spawn(async { Trace::current() });
            assert_eq!(alone.await.expect("it ran"), None);
        })
        .await;
    }
}
