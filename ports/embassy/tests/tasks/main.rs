//! The runner and several stacks of each host, as tasks of an executor, on a segment in memory.

mod controllers;
mod election;
mod limits;
mod signed;
mod world;
