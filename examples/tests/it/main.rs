//! The examples, run as their readers run them: as processes that find each other, beside programs on libzmq, ended by Ctrl-C. And the
//! documents, whose code is that of the files they name.

mod documents;
#[cfg(unix)]
mod interop_python;
#[cfg(unix)]
mod pairs;
#[cfg(unix)]
mod stage;
