//! Tests that need hosts and networks of their own. They run in fresh network, mount and process namespaces that end with
//! them, so nothing on the machine changes; without root, in a user namespace besides.

use crate::debian;
use crate::error::Error;
use crate::process::{Process, cargo_program};
use crate::step::Verdict;
use crate::suites::Selection;
use crate::workshop::Workshop;

/// `ip netns` keeps its names under /run. An ordinary user's path lacks the folder of the network tools.
const INSIDE: &str =
    "PATH=$PATH:/usr/sbin:/sbin; mount -t tmpfs tmpfs /run && ip link set lo up && exec \"$@\"";
const HAS_TOOLS: &str =
    "PATH=$PATH:/usr/sbin:/sbin; command -v unshare && command -v ip && command -v nft";

const HAS_AVAHI: &str = "PATH=$PATH:/usr/sbin:/sbin; command -v avahi-daemon && command -v avahi-browse && command -v dbus-daemon";

pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    let selection = Selection::named(workshop, "netns")?;
    let tools = || Process::new("sh").args(["-c", HAS_TOOLS]).quietly();
    if let Err(skipped) = debian::need(
        &["util-linux", "iproute2", "nftables"],
        workshop.install,
        tools,
    ) {
        return workshop.lacks(skipped);
    }
    // For one test, which says that it is skipped without them.
    let avahi = || Process::new("sh").args(["-c", HAS_AVAHI]).quietly();
    if let Err(skipped) = debian::need(
        &["avahi-daemon", "avahi-utils", "dbus"],
        workshop.install,
        avahi,
    ) {
        println!("{}: {}", skipped.why, skipped.get);
    }
    if !are_possible() {
        let why = "this user may make no network namespaces here";
        return Ok(Verdict::skip(
            why,
            "cargo xtask test --only namespaces    (as root, or where unprivileged user namespaces are on)",
        ));
    }
    // Inside there is no way to a registry: everything is fetched and built before.
    selection.build(workshop)?;
    let cargo = || {
        let cargo = inside().arg(cargo_program());
        let cargo = cargo.dir(&workshop.root).env("CARGO_NET_OFFLINE", "true");
        // They share the names under /run and the cores: one at a time, so that their deadlines mean something.
        let cargo = cargo
            .env("NEXTEST_TEST_THREADS", "1")
            .env("RUST_TEST_THREADS", "1");
        cargo.env("COLUGO_TEST_NETNS", "1")
    };
    selection.run(workshop, cargo)?;
    Ok(Verdict::Ok)
}

/// Whether this user may make them.
pub(crate) fn are_possible() -> bool {
    inside().arg("true").quietly()
}

/// What comes next, with its arguments, is run inside.
pub(crate) fn inside() -> Process {
    enter().args(["sh", "-c", INSIDE, "sh"])
}

fn enter() -> Process {
    let unshare = Process::new("unshare");
    let unshare = if debian::is_root() {
        unshare
    } else {
        unshare.args(["--user", "--map-root-user"])
    };
    unshare.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ])
}
