//! The `colugo` command as people and scripts use it: the real program, with real sockets.

mod addresses;
mod command;
mod demo;
mod echo;
mod help;
mod hints;
mod interrupts;
mod libzmq;
mod lists;
mod publish;
mod services;
