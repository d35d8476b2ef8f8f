//! What needs a process of its own: signals, descriptors, threads. Each test starts this program again, as one of the children below.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::sockets::Place;
use crate::{Done, SOON};

/// Starts a child: one of the ignored tests here. `shell` is put before it.
fn start(child: &str, shell: &str) -> std::io::Result<Child> {
    let program = std::env::current_exe()?;
    let script = format!(
        "{shell} exec \"$0\" --ignored --exact children::{child} --nocapture --test-threads=1"
    );
    Command::new("sh")
        .args(["-c", &script])
        .arg(program)
        .stdout(Stdio::piped())
        .spawn()
}

fn lines_after(
    child: &mut Child,
    ready: &str,
) -> Result<BufReader<std::process::ChildStdout>, Box<dyn std::error::Error>> {
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    while !line.contains(ready) {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Err(format!("the child never said {ready:?}").into());
        }
    }
    Ok(lines)
}

#[test]
#[cfg(unix)]
fn ctrl_c_says_goodbye_and_sends_what_is_queued() -> Done {
    for signal in ["INT", "TERM"] {
        let mut child = start("runs_until_signal", "")?;
        let mut lines = lines_after(&mut child, "up and about")?;
        Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status()?;
        let mut rest = String::new();
        lines.read_to_string(&mut rest)?;
        assert!(rest.contains("closed true"), "{rest}");
        assert!(child.wait()?.success());
    }
    Ok(())
}

#[test]
#[ignore = "a child of another test"]
fn runs_until_signal() -> Done {
    let place = Place::new();
    let node = place.node("child")?;
    let _running = node.after(Duration::ZERO, || println!("up and about"))?;
    node.run_until_signal()?;
    println!("closed {}", node.publisher("t").build().is_err());
    Ok(())
}

#[test]
#[cfg(unix)]
fn no_descriptors_left_is_an_error_that_says_so() -> Done {
    let mut child = start("uses_up_descriptors", "ulimit -n 40;")?;
    let mut lines = lines_after(&mut child, "refused")?;
    let mut rest = String::new();
    lines.read_to_string(&mut rest)?;
    assert!(rest.contains("still works true"), "{rest}");
    assert!(child.wait()?.success());
    Ok(())
}

#[test]
#[ignore = "a child of another test"]
fn uses_up_descriptors() -> Done {
    let place = Place::new();
    let node = place.node("child")?;
    let sub = node.subscriber("t0").build()?;
    let mut publishers = Vec::new();
    let refused = loop {
        match node.publisher(&format!("t{}", publishers.len())).build() {
            Ok(publisher) => publishers.push(publisher),
            Err(error) => break error.to_string(),
        }
    };
    assert!(refused.contains("descriptors"), "{refused}");
    println!("refused");
    publishers.truncate(1);
    publishers[0].wait_for_subscribers(1, SOON)?;
    publishers[0].send(b"x")?;
    println!("still works {}", sub.recv_timeout(SOON)?.value == "x");
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn no_thread_is_left_behind() -> Done {
    let mut child = start("counts_threads", "")?;
    let mut lines = lines_after(&mut child, "no thread left")?;
    lines.read_to_string(&mut String::new())?;
    assert!(child.wait()?.success());
    Ok(())
}

#[test]
#[ignore = "a child of another test"]
#[cfg(target_os = "linux")]
fn counts_threads() -> Done {
    let threads = || std::fs::read_dir("/proc/self/task").map(Iterator::count);
    let before = threads()?;
    for _ in 0..3 {
        let place = Place::new();
        let (a, b) = (place.node("a")?, place.node("b")?);
        a.spawn()?;
        let _guard = a.subscriber("t").on_message(|_| {})?;
        let publisher = b.publisher("t").build()?;
        publisher.wait_for_subscribers(1, SOON)?;
        publisher.send(b"x")?;
        let _silent = a.reply_server("q").build()?;
        let client = b.request_client("q").build()?;
        client
            .request(b"?")
            .timeout(Duration::from_millis(20))
            .on_reply_inline(|_| {});
        drop((a, b));
    }
    let deadline = std::time::Instant::now() + SOON;
    while threads()? > before && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(threads()?, before);
    println!("no thread left");
    Ok(())
}
