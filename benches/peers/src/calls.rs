//! Requests and replies: one at a time, and many in flight.

use std::time::{Duration, Instant};

use kit::child::{Link, Spec};
use kit::payload::{Pace, is_last, number, stamp};
use kit::report::Report;
use kit::stats::{Latencies, Usage};
use kit::{Result, Role};

use crate::engine::{Kind, Socket, hwm, wait};
use crate::omq::Omq;
use crate::rzmq_crate::Rzmq;
use crate::zeromq_crate::ZeroMq;

pub const ROLES: &[(&str, Role)] = &[
    ("omq.rep", |spec, link| serve::<Omq>(Kind::Rep, spec, link)),
    ("omq.router", |spec, link| {
        serve::<Omq>(Kind::Router, spec, link)
    }),
    ("omq.req", request::<Omq>),
    ("omq.dealer", deal::<Omq>),
    ("rzmq.rep", |spec, link| {
        serve::<Rzmq>(Kind::Rep, spec, link)
    }),
    ("rzmq.router", |spec, link| {
        serve::<Rzmq>(Kind::Router, spec, link)
    }),
    ("rzmq.req", request::<Rzmq>),
    ("rzmq.dealer", deal::<Rzmq>),
    ("zeromq.rep", |spec, link| {
        serve::<ZeroMq>(Kind::Rep, spec, link)
    }),
    ("zeromq.router", |spec, link| {
        serve::<ZeroMq>(Kind::Router, spec, link)
    }),
    ("zeromq.req", request::<ZeroMq>),
    ("zeromq.dealer", deal::<ZeroMq>),
];

fn serve<S: Socket>(kind: Kind, spec: &Spec, link: &Link) -> Result<Report> {
    wait(async {
        let (mut socket, address) = S::bind(kind, hwm(spec)?).await?;
        link.ready(&address)?;
        let usage = Usage::start();
        while !socket.echo(is_last).await? {}
        link.wait_for_stop();
        Ok(usage.report())
    })
}

/// Sends the first request until somebody is there to take it.
async fn first<S: Socket>(socket: &mut S, payload: &[u8]) -> Result<()> {
    let patience = Instant::now() + Duration::from_secs(5);
    while let Err(error) = socket.send(payload).await {
        if Instant::now() > patience {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn request<S: Socket>(spec: &Spec, link: &Link) -> Result<Report> {
    wait(async {
        let mut socket = S::connect(Kind::Req, hwm(spec)?, spec.text("addr")?).await?;
        let mut payload = vec![0; spec.size()?];
        link.ready("")?;
        first(&mut socket, &payload).await?;
        socket.receive(|_| ()).await?;
        let usage = Usage::start();
        let mut latencies = Latencies::new();
        let started = Instant::now();
        let duration = spec.duration()?;
        for count in 0.. {
            stamp(&mut payload, count);
            let start = Instant::now();
            socket.send(&payload).await?;
            let reply = socket.receive(number).await?;
            let now = Instant::now();
            if reply != count {
                return Err("a reply to another request".into());
            }
            if now - started > duration / 10 {
                latencies.add(now - start);
            }
            if now - started > duration {
                break;
            }
        }
        let report = usage.report().merge(latencies.report());
        stamp(&mut payload, u64::MAX);
        socket.send(&payload).await?;
        socket.receive(|_| ()).await?;
        Ok(report)
    })
}

fn deal<S: Socket>(spec: &Spec, link: &Link) -> Result<Report> {
    wait(async {
        let mut socket = S::connect(Kind::Dealer, hwm(spec)?, spec.text("addr")?).await?;
        let mut payload = vec![0; spec.size()?];
        link.ready("")?;
        first(&mut socket, &payload).await?;
        socket.receive(|_| ()).await?;
        let window = spec.count()? as u64;
        let pace = Pace::start(spec.duration()?, payload.len());
        let usage = Usage::start();
        let started = Instant::now();
        for sent in 0..window {
            stamp(&mut payload, sent);
            socket.send(&payload).await?;
        }
        let mut done = 0;
        while done == 0 || pace.goes_on(done) {
            let reply = socket.receive(number).await?;
            if reply != done {
                return Err(format!("reply {reply} where {done} was due").into());
            }
            stamp(&mut payload, done + window);
            socket.send(&payload).await?;
            done += 1;
        }
        let secs = started.elapsed().as_secs_f64();
        let report = usage.report();
        // The process ends with the figures: what is only queued would not go out.
        for _ in 0..window {
            socket.receive(|_| ()).await?;
        }
        stamp(&mut payload, u64::MAX);
        socket.send(&payload).await?;
        socket.receive(|_| ()).await?;
        Ok(report
            .with("msgs", done as f64)
            .with("rate", done as f64 / secs))
    })
}
