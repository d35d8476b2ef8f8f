"""A reply server with nothing but pyzmq and zeroconf: `server.py [topic]`"""

import sys

import zmq
from announce import REP, announce, run

topic = sys.argv[1] if len(sys.argv) > 1 else "plain-echo"


def main(discovery):
    server = zmq.Context.instance().socket(zmq.REP)
    announce(discovery, topic, REP, server.bind_to_random_port("tcp://*"))
    print("serving", flush=True)
    while True:
        server.send(server.recv())


run(main)
