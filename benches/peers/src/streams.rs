//! One sender, one or several receivers with a thread each.

use std::time::Duration;

use kit::child::{Link, Spec};
use kit::payload::{Checker, Pace, number, stamp, stamp_last};
use kit::report::Report;
use kit::stats::Usage;
use kit::{Result, Role};

use crate::engine::{Kind, Socket, hwm, wait};
use crate::omq::Omq;
use crate::rzmq_crate::Rzmq;
use crate::zeromq_crate::ZeroMq;

pub const ROLES: &[(&str, Role)] = &[
    ("omq.push", |spec, link| send::<Omq>(Kind::Push, spec, link)),
    ("omq.pull", |spec, link| {
        receive::<Omq>(Kind::Pull, spec, link)
    }),
    ("omq.pub", |spec, link| send::<Omq>(Kind::Pub, spec, link)),
    ("omq.sub", |spec, link| {
        receive::<Omq>(Kind::Sub, spec, link)
    }),
    ("rzmq.push", |spec, link| {
        send::<Rzmq>(Kind::Push, spec, link)
    }),
    ("rzmq.pull", |spec, link| {
        receive::<Rzmq>(Kind::Pull, spec, link)
    }),
    ("rzmq.pub", |spec, link| send::<Rzmq>(Kind::Pub, spec, link)),
    ("rzmq.sub", |spec, link| {
        receive::<Rzmq>(Kind::Sub, spec, link)
    }),
    ("zeromq.push", |spec, link| {
        send::<ZeroMq>(Kind::Push, spec, link)
    }),
    ("zeromq.pull", |spec, link| {
        receive::<ZeroMq>(Kind::Pull, spec, link)
    }),
    ("zeromq.pub", |spec, link| {
        send::<ZeroMq>(Kind::Pub, spec, link)
    }),
    ("zeromq.sub", |spec, link| {
        receive::<ZeroMq>(Kind::Sub, spec, link)
    }),
];

/// The number of messages that are sent until each receiver has had one: not all implementations say when somebody subscribes.
const KNOCK: u64 = u64::MAX - 1;
const SOON: Duration = Duration::from_millis(1);

fn send<S: Socket>(kind: Kind, spec: &Spec, link: &Link) -> Result<Report> {
    wait(async {
        let (mut socket, address) = S::bind(kind, hwm(spec)?).await?;
        let size = spec.size()?;
        let mut payload = vec![0; size];
        stamp(&mut payload, KNOCK);
        link.say(&format!("ready {address}"));
        while !link.stopped_within(SOON) {
            // Without a peer some say that there is none.
            let _ = socket.send(&payload).await;
        }
        let usage = Usage::start();
        let pace = Pace::start(spec.duration()?, size);
        let mut total = 0;
        while pace.goes_on(total) {
            stamp(&mut payload, total);
            socket.send(&payload).await?;
            total += 1;
        }
        stamp_last(&mut payload, total);
        let report = usage.report();
        // Those that drop may drop the last one too.
        loop {
            socket.send(&payload).await?;
            if kind == Kind::Push {
                link.wait_for_stop();
                break;
            }
            if link.stopped_within(SOON) {
                break;
            }
        }
        Ok(report.merge(usage.report()))
    })
}

fn receive<S: Socket>(kind: Kind, spec: &Spec, link: &Link) -> Result<Report> {
    let hwm = hwm(spec)?;
    let mut sockets = Vec::new();
    for _ in 0..spec.count()? {
        sockets.push(wait(S::connect(kind, hwm, spec.text("addr")?))?);
    }
    for socket in &mut sockets {
        wait(socket.receive(|_| ()))?;
    }
    let usage = Usage::start();
    let threads: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            std::thread::spawn(move || {
                wait(async {
                    let mut checker = Checker::new();
                    loop {
                        let see = |payload: &[u8]| number(payload) != KNOCK && checker.see(payload);
                        if socket.receive(see).await? {
                            return Result::Ok(checker);
                        }
                    }
                })
            })
        })
        .collect();
    link.ready("")?;
    let mut checkers = Vec::new();
    for thread in threads {
        checkers.push(thread.join().map_err(|_| "a receiving thread panicked")??);
    }
    Ok(usage.report().merge(Checker::report(&checkers)))
}
