//! A house of the real program, and what it leaves for operators: figures, logs, backups.

mod backup;
mod database;
mod road;
mod sight;
