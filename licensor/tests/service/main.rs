//! The licensor through its services, as its callers see it: no sockets, real messages, a clock that is set by hand.
//!
//! After every step an outsider audits the whole ledger, and granted = free + held + spent is asked of the license.

mod enrolment;
mod faults;
mod holds;
mod ledger;
mod offers;
mod settling;
mod support;
mod tenants;
