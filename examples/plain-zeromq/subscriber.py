"""A subscriber with nothing but pyzmq and zeroconf: `subscriber.py [topic [count]]`"""

import queue
import sys

import zmq
from announce import PUB, browse, run

topic = sys.argv[1] if len(sys.argv) > 1 else "plain"
count = int(sys.argv[2]) if len(sys.argv) > 2 else 10


def main(discovery):
    found = queue.Queue()
    browse(discovery, topic, PUB, found.put)
    subscriber = zmq.Context.instance().socket(zmq.SUB)
    subscriber.subscribe(b"")
    # A socket belongs to one thread: the browser's only says where.
    subscriber.connect(found.get(timeout=60))
    for _ in range(count):
        print(subscriber.recv().decode(), flush=True)


run(main)
