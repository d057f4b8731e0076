//! The licensor through its services, as its callers see it: no sockets, real messages, a clock that is set by hand.
//!
//! After every step an outsider audits the whole ledger, and granted = free + held + spent is asked of the license.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod enrolment;
mod faults;
mod holds;
mod ledger;
mod many;
mod model;
mod offers;
mod settling;
mod support;
mod tenants;
