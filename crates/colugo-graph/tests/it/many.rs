//! Many nodes that come and go end up knowing exactly those who are there.

use std::collections::BTreeSet;

use crate::net::{HostId, MS, Net, SEC};

#[test]
fn a_crowd_settles_after_churn() {
    for seed in 0..4 {
        let mut net = Net::new(seed);
        let mut living: Vec<HostId> = Vec::new();
        let mut wants = Vec::new();
        for _ in 0..60 {
            let die = net.between(0, 10);
            if living.len() > 4 && die < 4 {
                let index =
                    usize::try_from(net.between(0, living.len().try_into().unwrap())).unwrap();
                let host = living.swap_remove(index);
                if die < 2 {
                    net.kill(host)
                } else {
                    net.leave(host)
                }
                wants.retain(|(owner, _)| *owner != host);
            } else {
                let host = net.add();
                net.publish(host, "all", 1000 + u16::try_from(host).unwrap());
                wants.push((host, net.want(host, "all")));
                living.push(host);
            }
            let pause = net.between(0, 300);
            net.advance(MS * pause);
        }
        net.advance(10 * SEC);
        let there: BTreeSet<_> = living.iter().map(|host| net.id(*host)).collect();
        for (host, _) in &wants {
            let found: BTreeSet<_> = net
                .host(*host)
                .found
                .iter()
                .map(|(_, node, _)| *node)
                .collect();
            assert_eq!(found, there, "seed {seed}, n{host}");
            for other in &living {
                let links = net.links_between(*host, *other).len();
                assert_eq!(
                    links,
                    usize::from(host != other),
                    "seed {seed}: links of n{host} to n{other}"
                );
            }
        }
    }
}
