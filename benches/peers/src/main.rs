//! `colugo-bench-peers`: measuring processes of other ZeroMQ implementations, started by `colugo-bench --peers`. A program of its own, so
//! that what they want of shared dependencies changes nothing in what they are measured against.

mod calls;
mod engine;
mod omq;
mod rzmq_crate;
mod streams;
mod zeromq_crate;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [first, role, rest @ ..] if first == "child" => {
            let known = [streams::ROLES, calls::ROLES];
            kit::play(&known.concat(), role, rest)
        }
        _ => eprintln!("colugo-bench-peers: `colugo-bench --peers` starts this program"),
    }
}
