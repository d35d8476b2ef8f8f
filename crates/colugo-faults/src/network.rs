//! What a network does to its hosts: it is cut, or loses some of what it carries. By the kernel's packet filter (nft), on what comes in at a host:
//! dropped on its way out, TCP would know.

use std::io::Write;
use std::process::Stdio;

use colugo_testkit::Host;

/// A fault that lasts until it is dropped.
pub(crate) struct Fault<'a>(&'a [&'a Host]);

/// Nothing gets through between these hosts.
pub(crate) fn cut<'a>(hosts: &'a [&'a Host]) -> Fault<'a> {
    Fault::start(hosts, "drop")
}

/// So many of a hundred packets are lost at each of these hosts, any of them.
pub(crate) fn lose<'a>(hosts: &'a [&'a Host], of_a_hundred: u32) -> Fault<'a> {
    Fault::start(
        hosts,
        &format!("numgen random mod 100 < {of_a_hundred} drop"),
    )
}

impl<'a> Fault<'a> {
    fn start(hosts: &'a [&'a Host], verdict: &str) -> Self {
        let rules = format!(
            "table inet fault {{\n chain arrives {{\n type filter hook input priority 0\n iifname \"eth0\" {verdict}\n }}\n}}"
        );
        for host in hosts {
            nft(host, &rules);
        }
        Self(hosts)
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        for host in self.0 {
            nft(host, "delete table inet fault");
        }
    }
}

/// The path of an ordinary user lacks the folder it is in.
fn nft(host: &Host, rules: &str) {
    let mut command = host.command("sh");
    command.args(["-c", "PATH=$PATH:/usr/sbin:/sbin; exec nft -f -"]);
    let child = command.stdin(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("nft could not be started: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        let _ = writeln!(stdin, "{rules}");
    }
    let status = child.wait();
    assert!(
        status.is_ok_and(|status| status.success()),
        "nft refused: {rules}"
    );
}
