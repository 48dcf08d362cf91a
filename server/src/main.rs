//! The `server` binary. Everything is in the library; see its cover page.

fn main() {
    std::process::exit(server::cli::main());
}
