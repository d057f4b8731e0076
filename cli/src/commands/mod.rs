//! One file per command.

pub mod buyer;
pub mod catalogue;
pub mod operator;
pub mod seller;
pub mod show;
pub mod slice;
