//! The wasmtime engine: how instances are allocated, compiled and interrupted.
//!
//! One engine serves the whole process. Instances come from a pool whose address space is reserved once, so
//! that a fresh instance costs microseconds. How the pool gives memory back decides the throughput, see
//! [`pool`]. A ticker advances the epoch every [`TICK`], which is when a running guest is looked at: it
//! yields its thread, or is stopped when its CPU time is used up.

pub(crate) mod aot;
pub(crate) mod limits;

use anyhow::{Context as _, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a running guest is looked at. It bounds both how long a guest can hold a thread and how far a
/// CPU-time limit can be overrun.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Memories, tables and core instances that there is room for, for each component instance on average: a
/// component with two composed dependencies has three memories, and many small core instances that adapt
/// calls between them. Memories are dear in address space. Stacks are dearer: each has a guard page, which is
/// a mapping and a page of page table of its own from the start, so there is one for each instance.
const MEMORIES_PER_INSTANCE: u32 = 3;
const TABLES_PER_INSTANCE: u32 = 8;
const CORE_INSTANCES_PER_INSTANCE: u32 = 32;

/// The processors that compiled components run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Processor {
    /// Those that can do what this machine's can: the quickest code.
    Native,
    /// Every one of this architecture, for code that is compiled on one machine and runs on others.
    Any,
}

/// Makes the engine, with room for `instances` component instances at once.
///
/// Where the address space cannot be had (a container that limits virtual memory), the pool is halved until
/// it fits; what was allotted is the second value.
pub(crate) fn new(instances: u32, processor: Processor) -> Result<(Engine, u32)> {
    let mut room = instances;
    loop {
        match Engine::new(&config(room, processor)?) {
            Ok(engine) => return Ok((engine, room)),
            Err(error) if room <= 16 => {
                return Err(anyhow_of(error)).context("the instance pool cannot be reserved");
            }
            Err(error) => {
                tracing::warn!(instances = room, %error, "the instance pool does not fit; trying half of it");
                room /= 2;
            }
        }
    }
}

/// The engine's settings. All of them that influence code are part of the compiled cache's key.
fn config(instances: u32, processor: Processor) -> Result<Config> {
    let mut config = Config::new();
    if processor == Processor::Any {
        // A target that is named is compiled for without looking at what this processor can do beyond it.
        config
            .target(&target_lexicon::HOST.to_string())
            .map_err(anyhow_of)?;
    }
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    Ok(config)
}

/// The pool. What an instance leaves behind is reset page by page where the kernel can tell which pages were
/// touched (`PAGEMAP_SCAN`, Linux 6.7 and later), and otherwise given back in batches, because each return
/// interrupts every core.
fn pool(instances: u32) -> PoolingAllocationConfig {
    let memories = instances.saturating_mul(MEMORIES_PER_INSTANCE);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_INSTANCE))
        .total_memories(memories)
        .total_tables(instances.saturating_mul(TABLES_PER_INSTANCE))
        .total_stacks(instances)
        .max_core_instances_per_component(64)
        .max_memories_per_component(16)
        .max_tables_per_component(64)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(1 << 20)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(16 << 10)
        .max_unused_warm_slots(64)
        .decommit_batch_size(32)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// wasmtime's error as one of `anyhow`, with its causes.
pub(crate) fn anyhow_of(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}

/// Advances the engine's epoch until it is dropped.
pub(crate) struct Ticker(Arc<AtomicBool>);

impl Ticker {
    /// Starts the thread that ticks.
    pub(crate) fn start(engine: &Engine) -> Result<Self> {
        let running = Arc::new(AtomicBool::new(true));
        let engine = engine.weak();
        let flag: Weak<AtomicBool> = Arc::downgrade(&running);
        std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while flag.upgrade().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                    std::thread::sleep(TICK);
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => break,
                    }
                }
            })
            .context("the epoch ticker cannot be started")?;
        Ok(Self(running))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
