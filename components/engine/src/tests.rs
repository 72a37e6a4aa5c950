//! The engine's promises, tested on the store in memory, without real time and without chance.

mod admission;
mod busy;
mod chance;
mod decisions;
mod executor;
mod flow;
mod forks;
mod gates;
mod interleavings;
mod listeners;
mod model;
mod older;
mod recording;
mod sessions;
mod sizes;
mod slow_tools;
mod stopping;
mod survival;
mod sweeping;
mod tools;
mod turns;
mod undo;
mod watching;
mod world;
