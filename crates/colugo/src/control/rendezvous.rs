//! The rendezvous directory of a machine: nodes of one user find each other there within milliseconds, network or not.
//!
//! Each node leaves a file named by its id with the address of its control port. Knows paths, permissions and the file's
//! lines; does not know who is alive: a file is as good as the connection to its address, and whoever is refused there
//! removes it. A directory per network namespace, as loopback addresses mean nothing across them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use colugo_graph::{NodeId, NodeRecord, Version};

use super::ControlConfig;

/// More files than this in the directory are not looked at.
const FILES_MAX: usize = 4096;

/// A file of a node is a few short lines.
const FILE_LEN_MAX: u64 = 2048;

/// The own file in the directory, removed when dropped.
#[derive(Debug)]
pub(super) struct Rendezvous {
    directory: PathBuf,
    own: NodeId,
    lines: String,
    known: BTreeSet<NodeId>,
}

impl Rendezvous {
    /// Leaves the file of the node that `config` makes, whose control port is `at`.
    pub(super) fn enter(config: &ControlConfig, host: &str, at: SocketAddr) -> io::Result<Self> {
        let ControlConfig {
            namespace,
            name,
            id: own,
            hub,
            ..
        } = config;
        let directory = base().join(network()).join(namespace.as_str());
        let mut lines = String::new();
        for (key, value) in NodeRecord::txt(Version::OURS, namespace, name, host, *hub) {
            lines.push_str(&format!("{key}={}\n", value.replace(['\n', '\r'], " ")));
        }
        lines.push_str(&format!("addr={at}\n"));
        let rendezvous = Self {
            directory,
            own: *own,
            lines,
            known: BTreeSet::new(),
        };
        rendezvous.write()?;
        Ok(rendezvous)
    }

    /// The nodes that came and the ids that went since the last call.
    pub(super) fn scan(&mut self) -> (Vec<NodeRecord>, Vec<NodeId>) {
        let mut present = BTreeSet::new();
        let mut came = Vec::new();
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .take(FILES_MAX)
            .flatten()
        {
            let Some(node) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            present.insert(node);
            if node != self.own
                && !self.known.contains(&node)
                && let Some(record) = read(&entry.path(), node)
            {
                came.push(record);
            }
        }
        if !present.contains(&self.own) {
            // Somebody cleaned up, or took a refusal for our end.
            let _ = self.write();
        }
        let gone = self.known.difference(&present).copied().collect();
        self.known.retain(|node| present.contains(node));
        self.known.extend(came.iter().map(|record| record.node));
        (came, gone)
    }

    #[cfg(test)]
    pub(super) fn has_file(&self) -> bool {
        self.directory.join(self.own.to_string()).exists()
    }

    /// Removes the file of a node that nobody answers for any more.
    pub(super) fn remove_stale(&mut self, node: NodeId) -> bool {
        let known = self.known.remove(&node);
        if known {
            let _ = fs::remove_file(self.directory.join(node.to_string()));
        }
        known
    }

    fn write(&self) -> io::Result<()> {
        // A node that leaves removes directories that are empty, maybe right after we have made them.
        self.try_write().or_else(|_| self.try_write())
    }

    fn try_write(&self) -> io::Result<()> {
        create(&self.directory)?;
        // Renamed into place, so that nobody reads half of it.
        let unfinished = self.directory.join(format!("{}.new", self.own));
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(self.lines.as_bytes())?;
        drop(file);
        same_owner(&unfinished, &self.directory)?;
        fs::rename(&unfinished, self.directory.join(self.own.to_string()))
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.directory.join(self.own.to_string()));
        // The namespace's, the network's, the user's: as far as nobody else is in them.
        for directory in self.directory.ancestors().take(3) {
            if fs::remove_dir(directory).is_err() {
                break;
            }
        }
    }
}

fn read(path: &Path, node: NodeId) -> Option<NodeRecord> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > FILE_LEN_MAX {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let pairs: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let address = pairs
        .iter()
        .find(|(key, _)| *key == "addr")
        .and_then(|(_, value)| value.parse().ok())?;
    let txt = pairs.iter().map(|(key, value)| (*key, value.as_bytes()));
    NodeRecord::parse(&node.to_string(), txt, [address]).ok()
}

fn base() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_dir());
    let base = runtime.unwrap_or_else(std::env::temp_dir);
    base.join(format!("colugo-{}", user()))
}

fn create(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    // In a directory for everybody the name may have been taken by somebody else.
    match directory.ancestors().nth(2).map(fs::symlink_metadata) {
        Some(Ok(base)) if base.is_dir() => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            "the rendezvous directory is no directory",
        )),
    }
}

#[cfg(unix)]
fn same_owner(file: &Path, directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(file)?.uid() == fs::metadata(directory)?.uid() {
        return Ok(());
    }
    let _ = fs::remove_file(file);
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "the rendezvous directory belongs to another user",
    ))
}

#[cfg(not(unix))]
fn same_owner(_file: &Path, _directory: &Path) -> io::Result<()> {
    Ok(())
}

fn user() -> String {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata("/proc/self") {
        return std::os::unix::fs::MetadataExt::uid(&metadata).to_string();
    }
    let name = std::env::var("USER")
        .or_else(|_| std::env::var("USERNAME"))
        .unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// A word for the network that this process sees: its namespace, on this machine, since it was started.
fn network() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/net").unwrap_or_default();
    let namespace = namespace.to_string_lossy();
    let boot: String = boot.chars().take(8).collect();
    let number: String = namespace.chars().filter(char::is_ascii_digit).collect();
    format!("net-{boot}-{number}")
}
