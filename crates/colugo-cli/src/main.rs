//! The `colugo` command: watch, list, print, publish, call and serve what nodes and other ZeroMQ programs say.
//!
//! Uses only what the `colugo` crate offers to everybody. Data goes to the standard output, everything else to the standard error; see
//! [`exit`] for the exit statuses. Each command is a file with a `run` function; [`session`] is the node that it works with.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod args;
mod config_show;
mod demo;
mod doctor;
mod exit;
mod form;
mod hex;
mod hint;
mod hub;
mod interrupt;
mod latency;
mod msgpack;
mod node_info;
mod node_list;
mod output;
mod payload;
mod service_call;
mod service_list;
mod service_serve;
mod session;
mod settle;
mod shell;
mod table;
mod target;
mod topic_echo;
mod topic_list;
mod topic_pub;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, ConfigCommand, NodeCommand, ServiceCommand, TopicCommand};
use crate::exit::{Exit, Outcome};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Where a closed pipe is no error either.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                Exit::Usage as u8
            } else {
                Exit::Done as u8
            });
        }
    };
    if wants_log() {
        colugo::log_to_stderr();
    }
    let exit = run(&args).unwrap_or_else(|failure| {
        if !failure.message().is_empty() {
            output::say(failure.message());
        }
        failure.exit()
    });
    ExitCode::from(exit as u8)
}

/// Log lines are for those who ask for them; what people should know the commands say in their own words.
fn wants_log() -> bool {
    let settings = colugo::settings().unwrap_or_default();
    settings
        .iter()
        .any(|setting| setting.key == "log" && setting.origin != colugo::Origin::Default)
}

fn run(Args { network, command }: &Args) -> Outcome {
    match command {
        Command::Demo(args) => demo::run(network, args),
        Command::DemoPart(args) => demo::run_part(network, args),
        Command::Topic(TopicCommand::List(args)) => topic_list::run(network, args),
        Command::Topic(TopicCommand::Echo(args)) => topic_echo::run(network, args),
        Command::Topic(TopicCommand::Pub(args)) => topic_pub::run(network, args),
        Command::Service(ServiceCommand::List(args)) => service_list::run(network, args),
        Command::Service(ServiceCommand::Call(args)) => service_call::run(network, args),
        Command::Service(ServiceCommand::Serve(args)) => service_serve::run(network, args),
        Command::Node(NodeCommand::List(args)) => node_list::run(network, args),
        Command::Node(NodeCommand::Info(args)) => node_info::run(network, args),
        Command::Doctor(args) => doctor::run(network, args),
        Command::Hub(args) => hub::run(network, args),
        Command::Config(ConfigCommand::Show(args)) => config_show::run(network, args),
    }
}
