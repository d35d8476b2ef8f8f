//! The transports, for tests that are to pass on each.

use std::sync::atomic::{AtomicUsize, Ordering};

use colugo_testkit::free_port;

/// What carries the connections of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Tcp,
    Tcp6,
    #[cfg(unix)]
    Ipc,
    #[cfg(target_os = "linux")]
    AbstractIpc,
    Inproc,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Transport {
    /// An endpoint to listen on, which may only say where it is once it is listened on.
    pub(crate) fn any(self) -> String {
        match self {
            Self::Tcp => "tcp://127.0.0.1:0".to_owned(),
            Self::Tcp6 => "tcp://[::1]:0".to_owned(),
            #[cfg(unix)]
            Self::Ipc => "ipc://*".to_owned(),
            _ => self.certain(),
        }
    }

    /// An endpoint that is known before anybody listens there.
    pub(crate) fn certain(self) -> String {
        let unique = format!(
            "colugo-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        match self {
            Self::Tcp => format!("tcp://127.0.0.1:{}", free_port()),
            Self::Tcp6 => format!("tcp://[::1]:{}", free_port()),
            #[cfg(unix)]
            Self::Ipc => format!("ipc://{}", std::env::temp_dir().join(unique).display()),
            #[cfg(target_os = "linux")]
            Self::AbstractIpc => format!("ipc://@{unique}"),
            Self::Inproc => format!("inproc://{unique}"),
        }
    }
}

/// Makes of functions that take a [`Transport`] tests of the same name, one for each.
macro_rules! over_every_transport {
    ($($test:ident)*) => {$(
        mod $test {
            use crate::Transport;

            #[test]
            fn tcp() {
                super::$test(Transport::Tcp);
            }

            #[test]
            fn tcp6() {
                super::$test(Transport::Tcp6);
            }

            #[cfg(unix)]
            #[test]
            fn ipc() {
                super::$test(Transport::Ipc);
            }

            #[cfg(target_os = "linux")]
            #[test]
            fn abstract_ipc() {
                super::$test(Transport::AbstractIpc);
            }

            #[test]
            fn inproc() {
                super::$test(Transport::Inproc);
            }
        }
    )*};
}
