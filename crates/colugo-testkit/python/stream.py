"""Numbered, timed messages from a PUB to a SUB on real libzmq.

    stream.py send ENDPOINT COUNT RATE SIZE      binds and prints the endpoint; prints a line once somebody has subscribed; sends once
                                                 a line has come in
    stream.py receive ENDPOINT COUNT RATE SIZE   prints {"count": …, "ordered": …, "p50_ns": …, "p99_ns": …, "max_ns": …}
"""

import json
import os
import struct
import sys
import threading
import time

import zmq


def main(role, endpoint, count, rate, size):
    count, rate, size = int(count), int(rate), int(size)
    context = zmq.Context()
    if role == "send":
        # An XPUB is a PUB that tells of subscriptions.
        socket = context.socket(zmq.XPUB)
        socket.bind(endpoint)
        print(socket.last_endpoint.decode(), flush=True)
        socket.recv()
        print("subscribed", flush=True)
        sys.stdin.readline()
        padding = bytes(size - 16)
        start = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            socket.send(struct.pack(">QQ", number, time.time_ns()) + padding)
    else:
        socket = context.socket(zmq.SUB)
        socket.subscribe(b"")
        socket.connect(endpoint)
        numbers, took = [], []
        while len(numbers) < count:
            payload = socket.recv()
            number, sent = struct.unpack_from(">QQ", payload)
            numbers.append(number)
            took.append(time.time_ns() - sent)
        took.sort()
        at = lambda part: took[round((len(took) - 1) * part)]
        ordered = numbers == list(range(count))
        print(
            json.dumps({"count": count, "ordered": ordered, "p50_ns": at(0.5), "p99_ns": at(0.99), "max_ns": at(1)}),
            flush=True,
        )
    # The sender stays until it is ended, so that nothing that is on its way is lost.
    sys.stdin.read()


def end_with_input():
    """Ends the process when its input does, even while it waits for a message."""
    poll = __import__("select").poll()
    poll.register(0, 0)
    while not any(event & 16 for _, event in poll.poll()):
        pass
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
main(*sys.argv[1:])
