//! The `anyturn` program; everything is in the library.

fn main() -> std::process::ExitCode {
    anyturn::main()
}
