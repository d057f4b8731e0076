//! The simulated machine's own habits.
