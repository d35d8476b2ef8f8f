//! `Place`: a namespace of its own for each test, so that tests that run at the same time do not meet, and how peers are started in it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use colugo_testkit::Host;

use crate::peer::Peer;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One test's part of this machine: a namespace, and a folder for what nodes leave on the machine; both go with it.
pub(crate) struct Place {
    namespace: String,
    folder: PathBuf,
}

/// A peer that is to be started.
pub(crate) struct Start<'a> {
    place: &'a Place,
    name: String,
    args: Vec<String>,
    settings: Vec<(String, String)>,
    host: Option<&'a Host>,
    open_files: Option<u32>,
    alone: bool,
    loud: bool,
}

impl Place {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("s{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&namespace);
        std::fs::create_dir_all(&folder).unwrap();
        Self { namespace, folder }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A peer on this machine that looks for others on this machine.
    pub(crate) fn peer(&self, name: &str) -> Peer {
        self.start(name).args(["--network", "host"]).go()
    }

    /// A peer that looks for others everywhere, unless told otherwise.
    pub(crate) fn start(&self, name: &str) -> Start<'_> {
        Start {
            place: self,
            name: name.to_owned(),
            args: Vec::new(),
            settings: Vec::new(),
            host: None,
            open_files: None,
            alone: false,
            loud: false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl<'a> Start<'a> {
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn on(mut self, host: &'a Host) -> Self {
        self.host = Some(host);
        self
    }

    /// With these variables, `COLUGO_` in front of each.
    pub(crate) fn settings(mut self, settings: &[(&str, &str)]) -> Self {
        let owned = settings
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        self.settings.extend(owned);
        self
    }

    /// With so few descriptors.
    pub(crate) fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Without the machine's rendezvous directory: it is found by multicast or not at all.
    pub(crate) fn by_multicast_only(mut self) -> Self {
        self.alone = true;
        self
    }

    /// It may write to its standard error.
    pub(crate) fn loud(mut self) -> Self {
        self.loud = true;
        self.args(["--log"])
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn go(self) -> Peer {
        self.launch().ready()
    }

    /// Starts it; it has not said yet whether that went well.
    pub(crate) fn launch(self) -> Peer {
        let folder = if self.alone {
            let folder = self.place.folder.join(&self.name);
            std::fs::create_dir_all(&folder).unwrap();
            folder
        } else {
            self.place.folder.clone()
        };
        let mut command = self.command();
        for word in [
            "LISTEN",
            "HUB",
            "PEERS",
            "INTERFACES",
            "ADVERTISE",
            "PORTS",
            "REMAP",
            "LOG",
            "CONFIG",
        ] {
            command.env_remove(format!("COLUGO_{word}"));
        }
        for (key, value) in &self.settings {
            command.env(format!("COLUGO_{key}"), value);
        }
        command
            .arg(&self.name)
            .args(&self.args)
            .env("COLUGO_NAMESPACE", &self.place.namespace)
            .env("XDG_CONFIG_HOME", &self.place.folder)
            .env("XDG_RUNTIME_DIR", folder);
        if self.loud {
            command.env("COLUGO_LOG", "debug");
        }
        Peer::start(&self.name, command, self.loud)
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_colugo-peer");
        let Some(limit) = self.open_files else {
            return self
                .host
                .map_or_else(|| Command::new(program), |host| host.command(program));
        };
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("ulimit -n {limit} && exec \"$0\" \"$@\""))
            .arg(program);
        shell
    }
}
