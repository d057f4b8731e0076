//! The same request id gets the same answer, whatever was lost on the way (L2).
//!
//! An effect and the answer it was given are one commit. A repeat finds the answer; a repeat with other content is
//! refused; two at once race for the request's record, and the loser loads again and finds the winner's answer.
//! Deliberately absent: memory of refusals. They had no effect, and what was refused may be allowed by now.

use std::future::Future;

use layerlock_proto::refusal::Reason;
use layerlock_seal::sha256;
use layerlock_store::{Commit, CommitError, Expect, Key};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::RequestId;
use prost::Message;
use tonic::Status;

use crate::caller::Caller;
use crate::records::shelf::put;
use crate::records::{Remembered, Shelf, tables};
use crate::refuse;

/// How often a call that loses its race decides again.
pub(crate) const ATTEMPTS: usize = 16;

/// One mutating call: who, what, and under which request id.
pub(crate) struct Call {
    key: Key,
    request: Digest,
}

/// What a call will do, if nothing it was decided on changes before.
pub(crate) struct Draft<A> {
    pub(crate) commit: Commit,
    pub(crate) answer: A,
}

impl Call {
    pub(crate) fn new(
        caller: Caller,
        method: &'static str,
        request_id: &str,
        message: &impl Message,
    ) -> Result<Self, Status> {
        let id: RequestId = layerlock_proto::convert::id(request_id)?;
        let key = tables::request(&caller.name(), method, &id);
        Ok(Self { key, request: sha256(&message.encode_to_vec()) })
    }

    /// Caller, method and request id, unambiguously: what tokens for this call are derived from.
    pub(crate) fn context(&self) -> &[u8] {
        self.key.as_bytes()
    }
}

impl Shelf {
    /// Does what `decide` drafts and remembers the answer, or answers as before.
    ///
    /// If we crash before the commit, nothing happened and a repeat decides anew; if after, the repeat finds the
    /// answer. There is no moment between.
    pub(crate) async fn once<A, F>(&self, call: &Call, decide: impl Fn() -> F + Send) -> Result<A, Status>
    where
        A: Message + Default,
        F: Future<Output = Result<Draft<A>, Status>> + Send,
    {
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.remembered(call).await? {
                return Ok(answer);
            }
            let Draft { commit, answer } = decide().await?;
            let remembered = Remembered { request: call.request, answer: answer.encode_to_vec() };
            let commit = put(commit, call.key.clone(), &remembered, Expect::Absent);
            match self.0.commit(commit).await {
                Ok(_) => return Ok(answer),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(refuse::commit(&error)),
            }
        }
        Err(refuse::busy())
    }

    async fn remembered<A: Message + Default>(&self, call: &Call) -> Result<Option<A>, Status> {
        let Some(found) = self.load::<Remembered>(&call.key).await? else { return Ok(None) };
        if found.value.request != call.request {
            return Err(Reason::RequestIdReused
                .status("this request id was used for another request: draw a fresh one for each request"));
        }
        let answer = A::decode(&found.value.answer[..]).map_err(|_| refuse::damaged(&call.key))?;
        Ok(Some(answer))
    }
}

impl<A> Draft<A> {
    /// Nothing to change: only the answer is remembered.
    pub(crate) fn unchanged(answer: A) -> Self {
        Self { commit: Commit::new(), answer }
    }
}
