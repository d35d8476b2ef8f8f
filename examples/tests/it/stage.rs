//! `Stage`: a namespace of its own in which examples play, and a node that watches it. Knows nothing of what they say.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use colugo::{Node, NodeState};
use colugo_testkit::{PATIENCE, Program, Python, wait_until};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Stage {
    namespace: String,
    watcher: Node,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("examples-{}-{number}", std::process::id());
        let watcher = Node::builder("watcher").namespace(&namespace).build();
        Self {
            namespace,
            watcher: watcher.unwrap(),
        }
    }

    /// Starts an example.
    pub(crate) fn start(&self, example: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new(built(&format!("examples/{example}")));
        command
            .args(arguments)
            .env("COLUGO_NAMESPACE", &self.namespace)
            .env("COLUGO_LOG", "error");
        Program::start(&mut command)
    }

    /// Starts a bare program on libzmq.
    pub(crate) fn start_python(&self, python: &Python, name: &str, endpoint: &str) -> Program {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        let mut command = python.script(folder.join(name));
        // Beside the sources nothing is written.
        command.arg(endpoint).env("PYTHONDONTWRITEBYTECODE", "1");
        Program::start(&mut command)
    }

    /// Where the publisher or the server of a topic can be reached by any ZeroMQ program.
    pub(crate) fn endpoint(&self, topic: &str) -> String {
        wait_until(&format!("an endpoint of {topic}"), || {
            let graph = self.watcher.graph();
            let topics = graph.topics.into_iter().map(|it| (it.name, it.endpoints));
            let services = graph.services.into_iter().map(|it| (it.name, it.endpoints));
            let found = topics.chain(services).find(|(name, _)| name == topic);
            found.and_then(|(_, endpoints)| endpoints.into_iter().next())
        })
    }

    /// Presses Ctrl-C in all of them. Each ends without an error, and nobody lists it any more.
    pub(crate) fn end(&self, mut programs: Vec<Program>) {
        wait_until("the examples' nodes", || {
            (self.others().len() == programs.len()).then_some(())
        });
        for program in &programs {
            program.signal("INT");
        }
        for program in &mut programs {
            let status = program.wait();
            assert!(status.success(), "{program:?} ended with {status}");
        }
        wait_until("the goodbyes", || self.others().is_empty().then_some(()));
        self.command_lists_nobody();
    }

    fn others(&self) -> Vec<String> {
        let nodes = self.watcher.graph().nodes.into_iter();
        nodes
            .filter(|node| matches!(node.state, NodeState::Alive | NodeState::Suspect))
            .map(|node| node.name)
            .collect()
    }

    /// Neither does the command, if it is built.
    fn command_lists_nobody(&self) {
        let command = built("colugo");
        if !command.exists() {
            let remedy = "cargo build -p colugo-cli";
            return colugo_testkit::skipped("`colugo node list` is not asked: not built", remedy);
        }
        let listed = Command::new(command)
            .args(["node", "list", "--json", "--wait", "30"])
            .args(["--namespace", &self.namespace])
            .output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        assert!(listed.contains("watcher"), "{listed}");
        for name in ["publisher", "subscriber", "client", "server", "robot"] {
            assert!(!listed.contains(name), "{name} is listed still: {listed}");
        }
    }
}

/// The next line that starts so.
pub(crate) fn line(program: &mut Program, start: &str) -> String {
    program.line_where(PATIENCE, |line| line.starts_with(start))
}

/// What cargo built beside this test.
fn built(what: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    folder.join(what)
}
