//! Colugo's sockets and those of other implementations in Rust, which need newer compilers and more crates than Colugo promises: a crate of
//! its own, whose tests alone are built with them. libzmq is reached by way of Python instead, see `colugo_testkit::ZmqPeer`.
