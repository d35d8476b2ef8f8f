//! No thread and no descriptor is left behind by nodes, in whatever order they and their handles are dropped, also inside an async runtime.

use std::any::Any;
use std::error::Error;
use std::time::Duration;

use colugo::{Network, Node};
use colugo_testkit::{Alone, PATIENCE, wait_until};

use crate::listening::{descriptors, threads};

type Done = Result<(), Box<dyn Error>>;

const NETWORKS: [Network; 3] = [Network::Lan, Network::Host, Network::Peers];

/// Threads and descriptors of this process.
fn left() -> (usize, usize) {
    let this = std::process::id();
    (threads(this), descriptors(this))
}

/// Nothing more than before is there after `work`.
fn leaves_nothing(what: &str, work: impl FnOnce() -> Done) -> Done {
    let before = left();
    work()?;
    let _witness = Witness;
    wait_until(
        &format!("the end of the threads and descriptors of {what}"),
        || {
            let now = left();
            (now.0 <= before.0 && now.1 <= before.1).then_some(())
        },
    );
    Ok(())
}

/// Says what is there when a test fails.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
            let names =
                tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            eprintln!("{:?}: {:?}", left(), names.collect::<Vec<_>>());
        }
    }
}

/// Two nodes with all kinds of handles at work; they are dropped in the order that the number says.
fn work(network: Network, order: usize) -> Done {
    let namespace = format!("leftovers-{}", std::process::id());
    let node = |name| {
        Node::builder(name)
            .namespace(&namespace)
            .network(network)
            .build()
    };
    let (a, b) = (node("a")?, node("b")?);
    let publisher = a.publisher("t").build()?;
    let guard = b.subscriber("t").on_message(|_| ())?;
    let server = a
        .reply_server("q")
        .on_request(|q, reply| reply.reply(&q).unwrap_or_default())?;
    let own = a.request_client("q").build()?;
    let tick = b.repeater(Duration::from_millis(5)).on_tick(|| ())?;
    a.spawn()?;
    b.spawn()?;
    own.wait_for_server(PATIENCE)?;
    own.request(b"?").timeout(PATIENCE).wait()?;
    if network != Network::Peers {
        publisher.wait_for_subscribers(1, PATIENCE)?;
    }
    publisher.send(b"x")?;
    let pending = own.request(b"?").start();
    let mut parts: Vec<Box<dyn Any>> = vec![
        Box::new(a),
        Box::new(b),
        Box::new((publisher, guard)),
        Box::new((server, tick)),
        Box::new((own, pending)),
    ];
    let mut code = order;
    while !parts.is_empty() {
        let pick = code % parts.len();
        code /= parts.len();
        drop(parts.remove(pick));
    }
    Ok(())
}

#[test]
fn nodes_dropped_in_any_order_leave_no_thread_and_no_descriptor() {
    let name = "leftovers::nodes_dropped_in_any_order_leave_no_thread_and_no_descriptor";
    Alone::new().run(name, || {
        // Where a crate of the program switches tokio's signals on, the first runtime opens two descriptors that stay; they are not ours.
        let first = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        drop(first.unwrap());
        for (at, network) in NETWORKS.into_iter().enumerate() {
            for order in (0..120).skip(at).step_by(10) {
                leaves_nothing(&format!("order {order} on {network:?}"), || {
                    work(network, order)
                })
                .unwrap();
            }
        }
    });
}

#[test]
fn nodes_dropped_inside_an_async_runtime_leave_no_thread_and_no_descriptor() {
    let name = "leftovers::nodes_dropped_inside_an_async_runtime_leave_no_thread_and_no_descriptor";
    Alone::new().run(name, || {
        for builder in [
            tokio::runtime::Builder::new_current_thread,
            tokio::runtime::Builder::new_multi_thread,
        ] {
            let runtime = builder().enable_all().build().unwrap();
            // Its threads and descriptors are not ours.
            runtime
                .block_on(async { tokio::task::spawn(async {}).await })
                .unwrap();
            for order in [0, 37, 119] {
                leaves_nothing("an async runtime", || {
                    runtime.block_on(async { work(Network::Host, order) })
                })
                .unwrap();
            }
            leaves_nothing("an awaited end", || runtime.block_on(awaited())).unwrap();
        }
    });
}

async fn awaited() -> Done {
    let namespace = format!("leftovers-{}", std::process::id());
    let node = Node::builder("a")
        .namespace(namespace)
        .network(Network::Host)
        .build()?;
    let publisher = node.publisher("t").build()?;
    let subscriber = node.subscriber("t").build()?;
    tokio::time::timeout(PATIENCE, publisher.wait_for_subscribers_async(1)).await??;
    publisher.send(b"x")?;
    tokio::time::timeout(PATIENCE, subscriber.recv_async()).await??;
    node.close().await?;
    Ok(())
}
