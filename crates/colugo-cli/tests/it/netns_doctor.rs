//! `colugo doctor` between hosts: why two that should meet do not.

use std::process::{Command, Stdio};

use colugo_testkit::{Host, Lan, Program, wait_until};
use serde_json::Value;

/// The program on a host, away from the user's settings and from what other hosts' nodes leave on this machine.
fn on(host: &Host, namespace: &str, args: &[&str]) -> Command {
    let mut command = host.command(env!("CARGO_BIN_EXE_colugo"));
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("COLUGO_")) {
        command.env_remove(variable);
    }
    let folder = format!("{}/{namespace}-{}", env!("CARGO_TARGET_TMPDIR"), host.ip());
    std::fs::create_dir_all(&folder).expect("a folder");
    command
        .env("XDG_CONFIG_HOME", &folder)
        .env("XDG_RUNTIME_DIR", &folder)
        .env("COLUGO_NAMESPACE", namespace)
        .args(args);
    command
}

fn diagnose(host: &Host, namespace: &str, args: &[&str], kind: &str) -> Value {
    let mut all = args.to_vec();
    all.extend(["doctor", "--json"]);
    wait_until(&format!("the doctor to find {kind:?}"), || {
        let output = on(host, namespace, &all).stdin(Stdio::null()).output();
        let seen: Value = serde_json::from_slice(&output.expect("it runs").stdout).expect("JSON");
        let findings = seen["findings"].as_array().expect("a list");
        findings
            .iter()
            .find(|finding| finding["kind"] == kind)
            .cloned()
    })
}

fn namespace(test: &str) -> String {
    format!("netns-{}-{test}", std::process::id())
}

const PUBLISH: [&str; 6] = ["topic", "pub", "pose", "1", "--rate", "5"];

#[test]
fn on_two_networks_it_names_hub_and_peer() {
    let Some(lan) = Lan::routed(2) else { return };
    let namespace = namespace("apart");
    let _publisher = Program::start(&mut on(lan.host(0), &namespace, &PUBLISH));
    let alone = diagnose(lan.host(1), &namespace, &["--listen", "0.0.0.0:0"], "alone");
    let advice = alone["advice"].as_str().expect("a text");
    assert!(
        advice.contains("colugo hub") && advice.contains("--peer"),
        "{advice}"
    );
}

#[test]
fn a_firewall_that_lets_only_the_control_port_pass_is_found() {
    let Some(lan) = Lan::new(2) else { return };
    let namespace = namespace("ports");
    lan.host(0).let_in_only(4747);
    let args: Vec<_> = ["--listen", "0.0.0.0:4747"]
        .into_iter()
        .chain(PUBLISH)
        .collect();
    let _publisher = Program::start(&mut on(lan.host(0), &namespace, &args));
    let closed = diagnose(lan.host(1), &namespace, &[], "port");
    assert!(
        closed["about"]
            .as_str()
            .is_some_and(|about| about.starts_with("topic \"pose\" at tcp://"))
    );
    assert!(
        closed["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("COLUGO_PORTS"))
    );
}

#[test]
fn a_firewall_that_lets_no_control_port_pass_is_found() {
    let Some(lan) = Lan::new(2) else { return };
    let namespace = namespace("control");
    lan.host(0).let_in_only(1);
    let _publisher = Program::start(&mut on(lan.host(0), &namespace, &PUBLISH));
    // The other side would reach this one: it must not.
    lan.host(1).let_in_only(1);
    let unreached = diagnose(lan.host(1), &namespace, &[], "unreachable");
    assert!(
        unreached["evidence"]
            .as_str()
            .is_some_and(|text| text.starts_with("no answer at tcp://"))
    );
    assert!(
        unreached["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("firewall"))
    );
    let history = unreached["history"].as_array().expect("a list");
    let happened = |word: &str| {
        let is = |step: &Value| {
            step["what"]
                .as_str()
                .is_some_and(|what| what.starts_with(word))
        };
        history.iter().any(is)
    };
    for word in [
        "shown by multicast DNS",
        "dialled at tcp://",
        "not reached: ",
    ] {
        assert!(happened(word), "{word}: {unreached}");
    }
}

#[test]
fn multicast_that_does_not_get_out_is_found() {
    let Some(lan) = Lan::new(1) else { return };
    lan.host(0).let_no_multicast_out();
    let found = diagnose(lan.host(0), &namespace("out"), &[], "multicast");
    assert!(
        found["about"]
            .as_str()
            .is_some_and(|about| about.starts_with("interface eth0"))
    );
}

#[test]
fn multicast_that_does_not_come_in_is_found() {
    let Some(lan) = Lan::new(1) else { return };
    lan.host(0).block_multicast();
    let found = diagnose(lan.host(0), &namespace("in"), &[], "multicast-in");
    assert!(
        found["about"]
            .as_str()
            .is_some_and(|about| about.starts_with("interface eth0"))
    );
}

#[test]
fn a_machine_that_is_in_order_is_called_so() {
    let Some(lan) = Lan::new(2) else { return };
    let namespace = namespace("order");
    let _publisher = Program::start(&mut on(lan.host(0), &namespace, &PUBLISH));
    wait_until("the doctor to find nothing", || {
        let mut doctor = on(lan.host(1), &namespace, &["doctor", "--json"]);
        let output = doctor.stdin(Stdio::null()).output().expect("it runs");
        let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let of_multicast = |finding: &Value| {
            finding["kind"]
                .as_str()
                .is_some_and(|kind| kind.contains("cast") || kind.contains("5353"))
        };
        let findings = seen["findings"].as_array().expect("a list");
        assert!(!findings.iter().any(of_multicast), "{seen}");
        (seen["healthy"] == true && output.status.success()).then_some(())
    });
}
