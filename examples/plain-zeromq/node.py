"""A Colugo node in plain Python, written from docs/wire.md: it is found, finds others, publishes, subscribes, serves and calls.

    pip install pyzmq zeroconf msgpack
    python node.py publish pose        python node.py subscribe pose
    python node.py serve add           python node.py call add 1

One thread: all happens in `Node.poll`. Left out: rivals of one id, and dialling a lost link again.
"""

import argparse
import contextlib
import os
import queue
import socket
import time
from types import SimpleNamespace

import msgpack
import zmq
from zeroconf import ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

TYPE = "_colugo-node._tcp.local."
HOST = socket.gethostname()[:63]
METADATA = 95  # ZMQ_METADATA: properties of our READY
PROBE_AFTER, SILENT_AFTER, COURTESY = 1.3, 3.0, 0.25


class Node:
    def __init__(self, name, namespace="default", peers=()):
        self.name, self.namespace, self.id = name, namespace, os.urandom(16)
        self.context, self.poller = zmq.Context(), zmq.Poller()
        self.router = self.socket(zmq.ROUTER, control=True)
        self.port = self.router.bind_to_random_port("tcp://*")
        self.dialled, self.peers, self.records, self.found = set(), {}, {}, queue.Queue()
        self.announced, self.generation, self.subscribers, self.clients = {}, 0, {}, {}
        self.provided = {}  # (socket, endpoint): how many entries lead there
        self.handlers = {self.router: self.on_router}
        for peer in peers:
            self.dial(peer.removeprefix("tcp://"))
        self.zeroconf = Zeroconf()
        text = {"v": "1.0", "ns": namespace, "name": name, "host": HOST}
        self.info = ServiceInfo(TYPE, f"{self.id.hex()}.{TYPE}", port=self.port, properties=text,
                                server=f"{self.id.hex()}.local.", parsed_addresses=addresses())
        self.zeroconf.register_service(self.info, cooperating_responders=True)  # the id is random: nobody has it
        self.browser = ServiceBrowser(self.zeroconf, TYPE, handlers=[self.on_record])

    # --- what a program uses ---
    def publisher(self, topic):
        pub = self.socket(zmq.PUB)
        self.announce(topic, "pub", pub.bind_to_random_port("tcp://*"))
        return pub

    def subscribe(self, topic, callback):
        sub = self.socket(zmq.SUB)
        sub.subscribe(b"")
        self.subscribers[topic] = sub
        self.handlers[sub] = lambda: callback(sub.recv_multipart())
        self.announce(topic, "sub", 0)
        self.match(topic, "pub")

    def serve(self, topic, callback):
        def answer():
            frames = server.recv_multipart()
            body = frames.index(b"", 1) + 1  # all before it is the way back
            server.send_multipart(frames[:body] + callback(frames[body:]))

        server = self.socket(zmq.ROUTER)
        self.handlers[server] = answer
        self.announce(topic, "srv", server.bind_to_random_port("tcp://*"))

    def call(self, topic, body, timeout=2.0):
        """The reply's frames. Others are served while it waits."""
        if topic not in self.clients:
            client = self.clients[topic] = self.socket(zmq.DEALER)
            self.announce(topic, "cli", 0)
            self.match(topic, "srv")
        client, request, replies, sent = self.clients[topic], os.urandom(8), [], False
        self.handlers[client] = lambda: replies.append(client.recv_multipart())
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not sent and any(made is client for made, _ in self.provided):
                client.send_multipart([request, b"", *body])
                sent = True
            self.poll()
            # A reply with another id is late: its question was given up.
            for reply in replies:
                if reply[:2] == [request, b""]:
                    return reply[2:]
        raise TimeoutError(f"no reply from {topic!r} in time" if sent else f"nobody serves {topic!r}")

    def close(self):
        for peer in self.peers.values():
            self.send(peer.link, {"m": "bye", "why": "leaving"})
        self.zeroconf.unregister_service(self.info)
        self.zeroconf.close()
        self.context.destroy(linger=500)

    # --- the loop ---
    def poll(self, timeout=0.02):
        for ready, _ in self.poller.poll(timeout * 1000):
            while ready in self.handlers and ready.get(zmq.EVENTS) & zmq.POLLIN:
                self.handlers[ready]()
        while not self.found.empty():
            self.on_found(*self.found.get())
        now = time.monotonic()
        for node in [node for node, (at, _) in self.records.items() if at <= now]:
            _, where = self.records.pop(node)
            if node not in self.peers:
                self.dial(where)
        for peer in list(self.peers.values()):
            if now - peer.heard > SILENT_AFTER:
                self.gone(peer)
            elif now - peer.heard > PROBE_AFTER and not peer.probed:
                peer.probed = True
                self.send(peer.link, {"m": "ping", "t": time.time_ns()})

    # --- control links: docs/wire.md, "Control links" ---
    def socket(self, kind, control=False):
        made = self.context.socket(kind)
        if control:
            made.setsockopt(METADATA, b"X-Colugo:1")
            made.setsockopt(METADATA, b"X-Colugo-Node:" + self.id)
        self.poller.register(made, zmq.POLLIN)
        return made

    def dial(self, where):
        dealer = self.socket(zmq.DEALER, control=True)
        self.dialled.add(dealer)
        self.handlers[dealer] = lambda: self.on_message((dealer, None), dealer.recv(copy=False))
        dealer.connect(f"tcp://{where}")
        self.hello((dealer, None))

    def on_router(self):
        who, frame = self.router.recv_multipart(copy=False)
        self.on_message((self.router, who.bytes), frame)

    def send(self, link, message):
        made, who = link
        frame = msgpack.packb(message)
        with contextlib.suppress(zmq.ZMQError):  # its silence will tell
            made.send_multipart([frame] if who is None else [who, frame], zmq.NOBLOCK)

    def hello(self, link):
        about = {"id": self.id, "ns": self.namespace, "name": self.name, "host": HOST, "port": self.port}
        self.send(link, {"m": "hello", "major": 1, "minor": 0, "addrs": addresses(), "caps": [], **about})

    def on_message(self, link, frame):
        message = msgpack.unpackb(frame.bytes)
        kind = message["m"]
        if kind == "hello":
            return self.on_hello(link, message, frame.get("Peer-Address"))
        peer = next((peer for peer in self.peers.values() if peer.link == link), None)
        if kind == "bye":
            if peer and message["why"] != "duplicate":
                self.gone(peer)
            return self.hang_up(link)
        if peer is None:  # of a link that is not in use
            return
        peer.heard, peer.probed = time.monotonic(), False
        if kind == "ping":
            self.send(link, {"m": "pong", "t": message["t"], "r": time.time_ns()})
        elif kind == "resync":
            self.tell_all_to(link)
        elif kind == "snapshot":
            self.change(peer, message["entries"], list(peer.entries))
            peer.generation = message["gen"]
        elif kind == "delta" and peer.generation is not None:
            if peer.generation != message["from"]:
                self.send(link, {"m": "resync"})
                peer.generation = None
                return
            self.change(peer, message["add"], message["del"])
            peer.generation = message["to"]
        elif kind == "nodes":  # from a hub
            for known in message["known"]:
                self.on_found(known["id"], known["addrs"][0])

    def on_hello(self, link, hello, host):
        ours = link[1] is None
        if not ours:
            self.hello(link)
        if hello["major"] != 1 or hello["ns"] != self.namespace or hello["id"] == self.id:
            why = "version" if hello["major"] != 1 else "own" if hello["id"] == self.id else "namespace"
            self.send(link, {"m": "bye", "why": why})
            return self.hang_up(link)
        peer = self.peers.get(hello["id"])
        if peer is None:
            peer = SimpleNamespace(id=hello["id"], host=host, link=link, entries={}, probed=False, heard=time.monotonic())
            self.peers[peer.id] = peer
        elif peer.link != link:
            # Both have dialled: the connection that the lower id dialled stays.
            stays, goes = (link, peer.link) if ours == (self.id < peer.id) else (peer.link, link)
            self.send(goes, {"m": "bye", "why": "duplicate"})
            self.hang_up(goes)
            peer.link = stays
        if peer.link == link:
            peer.generation = None
            self.tell_all_to(link)

    def hang_up(self, link):
        if link[0] in self.dialled:
            self.dialled.remove(link[0])
            del self.handlers[link[0]]
            self.poller.unregister(link[0])
            link[0].close(linger=500)

    def gone(self, peer):
        self.change(peer, [], list(peer.entries))
        self.peers.pop(peer.id, None)
        self.hang_up(peer.link)

    def tell_all_to(self, link):
        self.send(link, {"m": "snapshot", "gen": self.generation, "entries": list(self.announced.values())})

    def announce(self, topic, kind, port):
        entry = {"i": len(self.announced) + 1, "t": topic, "k": kind, "p": port, "e": "raw"}
        self.announced[entry["i"]] = entry
        self.generation += 1
        delta = {"m": "delta", "from": self.generation - 1, "to": self.generation, "add": [entry], "del": []}
        for peer in self.peers.values():
            self.send(peer.link, delta)

    # --- who offers what we want ---
    def change(self, peer, added, removed):
        for number in filter(peer.entries.__contains__, removed):
            self.lead(peer, peer.entries.pop(number), -1)
        for entry in added:
            peer.entries[entry["i"]] = entry
            self.lead(peer, entry, 1)

    def lead(self, peer, entry, by):
        made = {"pub": self.subscribers, "srv": self.clients}.get(entry["k"], {}).get(entry["t"])
        if made is None:
            return
        endpoint = f"tcp://{bracketed(peer.host)}:{entry['p']}"
        before = self.provided.pop((made, endpoint), 0)
        if before == 0:
            made.connect(endpoint)
        elif before + by == 0:
            made.disconnect(endpoint)
        if before + by > 0:
            self.provided[made, endpoint] = before + by

    def match(self, topic, kind):
        for peer, entry in [(peer, entry) for peer in self.peers.values() for entry in peer.entries.values()]:
            if (entry["t"], entry["k"]) == (topic, kind):
                self.lead(peer, entry, 1)

    # --- discovery: docs/wire.md, "Discovery"; callbacks come on zeroconf's threads ---
    def on_record(self, zeroconf, service_type, name, state_change):
        info = zeroconf.get_service_info(service_type, name) if state_change != ServiceStateChange.Removed else None
        text = info.decoded_properties if info else {}
        if text.get("ns") == self.namespace and text.get("v", "").split(".")[0] == "1" and info.parsed_addresses():
            where = f"{bracketed(info.parsed_addresses()[0])}:{info.port}"
            self.found.put((bytes.fromhex(name.split(".")[0]), where))

    def on_found(self, node, where):
        if node != self.id and node not in self.peers and node not in self.records:
            self.records[node] = (time.monotonic() + (COURTESY if node < self.id else 0), where)


def addresses():
    found = [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return list(dict.fromkeys([*found, "127.0.0.1"]))


def bracketed(host):
    return f"[{host}]" if ":" in host else host


def main():
    parser = argparse.ArgumentParser(description="One Colugo node in plain Python.")
    parser.add_argument("what", choices=["publish", "subscribe", "serve", "call"])
    for word, more in (("topic", {}), ("text", {"nargs": "?", "default": "hello"}), ("--peer", {"action": "append"})):
        parser.add_argument(word, **more)
    args = parser.parse_args()
    node = Node(f"python-{args.what}", os.environ.get("COLUGO_NAMESPACE", "default"), args.peer or [])
    text, number, pub = args.text.encode(), 0, None
    try:
        if args.what == "call":
            return print(b" ".join(node.call(args.topic, [text], timeout=20)).decode(), flush=True)
        if args.what == "subscribe":
            node.subscribe(args.topic, lambda frames: print(b" ".join(frames).decode(), flush=True))
        elif args.what == "serve":
            node.serve(args.topic, lambda frames: [text, *frames])
        else:
            pub = node.publisher(args.topic)
        while True:
            if pub:
                pub.send(b"%s %d" % (text, number := number + 1))
            node.poll(0.05)
    except KeyboardInterrupt:
        pass
    finally:
        node.close()


if __name__ == "__main__":
    main()
