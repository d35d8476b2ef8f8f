//! A host with an avahi-daemon of its own, which takes port 5353 as well: nodes find each other all the same, and avahi-browse shows
//! every node and every topic.

use colugo_testkit::{Host, Lan, PATIENCE, Program, skipped};

use crate::place::Place;

/// In file systems of its own, as avahi's paths are fixed: a bus, the daemon, and then its browser, whose lines are printed.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs none /run
mkdir -p /run/dbus
cat > /run/bus.conf << END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow receive_sender="*"/></policy>
</busconfig>
END
printf '[server]\nhost-name=vm\nuse-ipv6=no\n' > /run/avahi.conf
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/bus
dbus-daemon --config-file=/run/bus.conf --nofork 2> /dev/null &
until [ -S /run/dbus/bus ]; do sleep 0.01; done
avahi-daemon -f /run/avahi.conf --no-drop-root --no-chroot --no-rlimits --no-proc-title > /run/avahi.log 2>&1 & avahi=$!
until avahi-browse -at > /dev/null 2>&1; do kill -0 $avahi; sleep 0.05; done
echo ready
avahi-browse -arp &
read -r _ || true
"#;

fn avahi(host: &Host) -> Option<Program> {
    let there = |tool| std::path::Path::new(tool).exists();
    if !(there("/usr/sbin/avahi-daemon")
        && there("/usr/bin/avahi-browse")
        && there("/usr/bin/dbus-daemon"))
    {
        skipped(
            "the test beside an avahi-daemon needs one",
            "apt-get install avahi-daemon avahi-utils dbus",
        );
        return None;
    }
    let mut command = host.command("unshare");
    // Its first process takes all others with it.
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    command.args(["sh", "-c", SCRIPT]);
    let mut program = Program::start(&mut command);
    program.line_where(PATIENCE, |line| line == "ready");
    Some(program)
}

#[test]
fn nodes_find_each_other_beside_an_avahi_daemon_which_shows_them() {
    let Some(host) = Lan::loopback_only() else {
        return;
    };
    let Some(mut avahi) = avahi(&host) else {
        return;
    };
    let place = Place::new();
    let start = |name| {
        let start = place.start(name).on(&host).by_multicast_only();
        start.settings(&[("ORIGINAL", "on")]).go()
    };
    let (mut a, mut b) = (start("a"), start("b"));
    a.make("publish", "pub.topic");
    a.make("serve", "rpc.topic");
    b.make("subscribe", "pub.topic");
    a.wait_for("pub.topic", 1);
    a.send("pub.topic", 10);
    b.heard("pub.topic", 10);
    let (mut shown, mut wanted) = (
        Vec::new(),
        vec![
            format!("={}", a.node_id()),
            format!("={}", b.node_id()),
            "=topic=pub.topic".to_owned(),
            "=topic=rpc.topic".to_owned(),
        ],
    );
    // Lines begin with `=` for what is resolved; of a socket its text is in there, of a node its id.
    while !wanted.is_empty() {
        let line = avahi
            .try_line(PATIENCE)
            .unwrap_or_else(|| panic!("{wanted:?} of {shown:#?}"));
        wanted.retain(|what| {
            !(line.starts_with('=')
                && line.contains(&what[1..])
                && (line.contains("_colugo-node") != what.contains("topic")))
        });
        shown.push(line);
    }
    a.leave();
    avahi.line_where(PATIENCE, |line| {
        line.starts_with('-') && line.contains("pub")
    });
    avahi.end_input();
    avahi.wait();
}
