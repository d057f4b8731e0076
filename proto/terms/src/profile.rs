//! Profile: all slicing settings for a machine. Preset: a named choice of them.
//!
//! Settings are typed, ranged and set by name (`Profile::set`), so that an unknown or out-of-range setting is
//! refused by name. The byte form (`emit`/`parse`) is what a license's terms and a job's hash are bound to.
