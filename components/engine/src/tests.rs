//! The engine's promises, tested on the store in memory, without real time and without chance.

mod admission;
mod executor;
mod interleavings;
mod listeners;
mod model;
mod sessions;
mod survival;
mod tools;
mod turns;
mod world;
