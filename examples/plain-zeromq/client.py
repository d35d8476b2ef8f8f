"""A request client with nothing but pyzmq and zeroconf: `client.py [topic [text]]`"""

import queue
import sys

import zmq
from announce import REP, browse, run

topic = sys.argv[1] if len(sys.argv) > 1 else "plain-echo"
text = sys.argv[2] if len(sys.argv) > 2 else "hello"


def main(discovery):
    found = queue.Queue()
    browse(discovery, topic, REP, found.put)
    client = zmq.Context.instance().socket(zmq.REQ)
    client.setsockopt(zmq.RCVTIMEO, 60000)
    client.connect(found.get(timeout=60))
    client.send(text.encode())
    print(client.recv().decode(), flush=True)


run(main)
