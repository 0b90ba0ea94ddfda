//! Plays faults against the real gateway, with the oracle behind it, and judges every reply.

use std::process::ExitCode;

fn main() -> ExitCode {
    llm_edge_mock::oracle::command::main(std::env::args().skip(1))
}
