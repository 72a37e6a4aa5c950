//! The engine's promises, tested on the store in memory, without real time and without chance.

mod admission;
mod interleavings;
mod sessions;
mod tools;
mod turns;
mod world;
