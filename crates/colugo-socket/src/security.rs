//! `Security`: which mechanism a socket's connections have, and who may come in. NULL needs none of it; PLAIN and CURVE are given to a socket by
//! this.

use std::fmt;
use std::net::SocketAddr;

use colugo_zmtp::{Decision, Mechanism, Question};

/// How the connections of a socket are secured. Both ends have to use the same mechanism; which of them is the client and which the server is for
/// the mechanisms to know, whoever dials.
///
/// ```
/// use colugo_socket::{Decision, PubSocket, Question, Security};
/// use colugo_zmtp::{Mechanism, Null};
///
/// #[derive(Debug)]
/// struct Open;
///
/// impl Security for Open {
///     fn mechanism(&self) -> Box<dyn Mechanism> {
///         Box::new(Null)
///     }
/// }
///
/// let publisher = PubSocket::builder().security(Open).build()?;
/// # Ok::<(), colugo_socket::BuildError>(())
/// ```
pub trait Security: fmt::Debug + Send + Sync + 'static {
    /// A mechanism for one more connection, with this side's keys.
    fn mechanism(&self) -> Box<dyn Mechanism>;

    /// Whether who shows these credentials, from this address, may come in. Asked on the data thread: it must not block. By default nobody may.
    fn decide(&self, question: &Question, from: Option<SocketAddr>) -> Decision {
        let _ = (question, from);
        Decision::Deny
    }
}
