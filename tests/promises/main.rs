//! One test per claim of SECURITY.md, and the rules the house keeps about itself.

mod edges;
mod pages;
