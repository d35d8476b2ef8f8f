//! Brains on a virtual network: exact times, no sockets, and a seed that every failure prints.

mod crowd;
mod directory;
mod duplicates;
mod fixed_peers;
mod future;
mod growth;
mod history;
mod hubs;
mod joining;
mod lateness;
mod leaving;
mod many;
mod messages;
mod mismatch;
mod net;
mod outsiders;
mod quiet;
mod records;
mod strangers;
