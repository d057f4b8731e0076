//! Offers that come while a job runs: kept in their order, each job once, and not more than a few.

use std::collections::VecDeque;

use layerlock_proto::vault::v1::JobOffer;

/// Offers kept while a job runs.
const WAITING: usize = 16;

/// See the module.
#[derive(Default)]
pub(crate) struct Waiting(VecDeque<JobOffer>);

impl Waiting {
    /// Keeps an offer, in the place of an older one of its job, unless there is no room: the vault offers it again then.
    pub(crate) fn keep(&mut self, offer: JobOffer) {
        let has_room = self.0.len() < WAITING;
        match self.0.iter_mut().find(|waiting| waiting.job == offer.job) {
            Some(older) => *older = offer,
            None if has_room => self.0.push_back(offer),
            None => {}
        }
    }

    /// Puts back the one that was taken, in its old place.
    pub(crate) fn put_back(&mut self, offer: JobOffer) {
        self.0.retain(|waiting| waiting.job != offer.job);
        self.0.push_front(offer);
        self.0.truncate(WAITING);
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the one that has waited longest.
    pub(crate) fn next(&mut self) -> Option<JobOffer> {
        self.0.pop_front()
    }

    /// Forgets a job that is over.
    pub(crate) fn forget(&mut self, job: &str) {
        self.0.retain(|offer| offer.job != job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(job: u8) -> JobOffer {
        JobOffer { job: format!("job-{job}"), ..JobOffer::default() }
    }

    #[test]
    fn offers_wait_in_their_order_each_once_and_no_more_than_there_is_room_for() {
        let mut waiting = Waiting::default();
        for job in [1, 2, 1, 3] {
            waiting.keep(offer(job));
        }
        waiting.forget("job-2");
        let anew = JobOffer { hold: vec![1], ..offer(1) };
        waiting.keep(anew.clone());
        assert_eq!((waiting.next(), waiting.next(), waiting.next()), (Some(anew), Some(offer(3)), None));
        (0..100).for_each(|job| waiting.keep(offer(job)));
        assert_eq!(std::iter::from_fn(|| waiting.next()).count(), WAITING);
    }
}
