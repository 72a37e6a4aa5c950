//! The `anyturn` program; everything is in the library.

/// Instances make and drop many small things on whichever thread is free; this allocator minds that least.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    anyturn::main()
}
