//! The `colugo` command as people and scripts use it: the real program, with real sockets.

mod addresses;
mod command;
mod demo;
mod doctor;
mod echo;
mod help;
mod hints;
mod hub;
mod interrupts;
mod libzmq;
mod lists;
mod netns_doctor;
mod publish;
mod services;
