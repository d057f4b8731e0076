//! One file per command.

pub mod buyer;
pub mod catalogue;
pub mod demo;
pub mod device;
pub mod operator;
pub mod seller;
pub mod serve;
pub mod show;
pub mod slice;
