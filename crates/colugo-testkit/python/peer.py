"""A ZeroMQ program on real libzmq that does what it is told: one JSON object a line comes in, one goes out.

The Rust side is `colugo_testkit::ZmqPeer`. Every order is `{"do": NAME, ...}`; the answer is `{"ok": RESULT}` or
`{"error": TEXT}`, and none to `drop`. It ends when its standard input does, whatever it is doing then.

A frame is `{"hex": "00ff"}`, or, where it is long, `{"fill": LENGTH, "seed": S}`: see `pattern`.
"""

import json
import os
import queue
import sys
import threading
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

LONG = 1024
PATIENCE_MS = 30_000


def pattern(length, seed):
    """`length` octets that differ from place to place: 251 is prime, so no power-of-two shift repeats them."""
    base = bytes((i + seed) % 251 for i in range(251))
    return (base * (length // 251 + 1))[:length]


def decode(frame):
    if "hex" in frame:
        return bytes.fromhex(frame["hex"])
    return pattern(frame["fill"], frame["seed"])


def encode(octets):
    if len(octets) > LONG and pattern(len(octets), octets[0]) == octets:
        return {"fill": len(octets), "seed": octets[0]}
    return {"hex": octets.hex()}


class Peer:
    def __init__(self):
        self.context = zmq.Context()
        self.sockets = {}
        self.monitors = {}
        self.next = 0

    def obey(self, order):
        return getattr(self, "do_" + order.pop("do"))(**order)

    def do_open(self, type, options):
        socket = self.context.socket(getattr(zmq, type))
        socket.linger = 0
        self.next += 1
        self.sockets[self.next] = socket
        for name, value in options:
            self.do_set(self.next, name, value)
        return self.next

    def do_set(self, socket, name, value):
        octets = bytes.fromhex(value) if isinstance(value, str) else value
        self.sockets[socket].setsockopt(getattr(zmq, name), octets)

    def do_bind(self, socket, to):
        # A port that was let go of a moment ago may still be closing.
        end = time.monotonic() + PATIENCE_MS / 1000
        while True:
            try:
                self.sockets[socket].bind(to)
                return self.sockets[socket].last_endpoint.decode()
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def do_connect(self, socket, to):
        self.sockets[socket].connect(to)

    def do_unbind(self, socket, to):
        self.sockets[socket].unbind(to)

    def do_disconnect(self, socket, to):
        self.sockets[socket].disconnect(to)

    def do_close(self, socket, linger_ms=0):
        self.sockets.pop(socket).close(linger_ms)

    def drop(self, socket):
        """Nobody holds it any more. What is queued is sent, and then it dials no more."""
        if dropped := self.sockets.pop(socket, None):
            dropped.close(PATIENCE_MS)

    def do_send(self, socket, frames):
        self._wait(socket, zmq.POLLOUT, PATIENCE_MS)
        self.sockets[socket].send_multipart([decode(frame) for frame in frames])

    def do_recv(self, socket, timeout_ms=PATIENCE_MS):
        """The next message, or None."""
        if not self.sockets[socket].poll(timeout_ms):
            return None
        return [encode(frame) for frame in self.sockets[socket].recv_multipart()]

    def do_property(self, socket, name):
        """A property of the peer that sent the next message, which is taken."""
        self._wait(socket, zmq.POLLIN, PATIENCE_MS)
        frames = self.sockets[socket].recv_multipart(copy=False)
        return frames[0].get(name)

    def do_echo(self, socket, count):
        """Sends back `count` messages as they came: on a ROUTER or DEALER with the envelope, on a REP within it."""
        for _ in range(count):
            self._wait(socket, zmq.POLLIN, PATIENCE_MS)
            frames = self.sockets[socket].recv_multipart()
            self._wait(socket, zmq.POLLOUT, PATIENCE_MS)
            self.sockets[socket].send_multipart(frames)

    def do_flood(self, socket, count, prefix, start=0):
        """Sends `count` messages: the prefix and a number of eight octets, from `start` on."""
        prefix = bytes.fromhex(prefix)
        for number in range(start, start + count):
            self._wait(socket, zmq.POLLOUT, PATIENCE_MS)
            self.sockets[socket].send(prefix + number.to_bytes(8, "big"))

    def do_count(self, socket, count, skip=0, start=0):
        """Receives `count` messages, whose numbers stand after `skip` octets; gives the first number that is out of order."""
        for number in range(start, start + count):
            self._wait(socket, zmq.POLLIN, PATIENCE_MS)
            found = int.from_bytes(self.sockets[socket].recv()[skip : skip + 8], "big")
            if found != number:
                return [number, found]
        return None

    def do_gather(self, socket, count):
        """Receives `count` messages that are the numbers from 0 on, in any order; gives one that is missing."""
        missing = set(range(count))
        for _ in range(count):
            self._wait(socket, zmq.POLLIN, PATIENCE_MS)
            missing.discard(int.from_bytes(self.sockets[socket].recv(), "big"))
        return missing.pop() if missing else None

    def do_watch(self, socket):
        """From here on `down` waits for the end of a connection."""
        self.monitors[socket] = self.sockets[socket].get_monitor_socket(zmq.EVENT_DISCONNECTED)

    def do_down(self, socket):
        if not self.monitors[socket].poll(PATIENCE_MS):
            raise TimeoutError("the connection has not ended")
        recv_monitor_message(self.monitors[socket])

    def do_version(self):
        return zmq.zmq_version()

    def _wait(self, socket, what, timeout_ms):
        if not self.sockets[socket].poll(timeout_ms, what):
            raise TimeoutError("nothing arrived" if what == zmq.POLLIN else "no room to send")


def read_orders(orders):
    for line in sys.stdin:
        orders.put(json.loads(line))
    os._exit(0)


def main():
    orders = queue.Queue()
    threading.Thread(target=read_orders, args=(orders,), daemon=True).start()
    peer = Peer()
    while True:
        order = orders.get()
        if order["do"] == "drop":  # the one order without an answer
            peer.drop(order["socket"])
            continue
        try:
            answer = {"ok": peer.obey(order)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
