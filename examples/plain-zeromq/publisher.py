"""A publisher with nothing but pyzmq and zeroconf: `publisher.py [topic]`"""

import sys
import time

import zmq
from announce import PUB, announce, run

topic = sys.argv[1] if len(sys.argv) > 1 else "plain"


def main(discovery):
    publisher = zmq.Context.instance().socket(zmq.PUB)
    announce(discovery, topic, PUB, publisher.bind_to_random_port("tcp://*"))
    print("publishing", flush=True)
    while True:
        publisher.send(b"hello")
        time.sleep(0.1)


run(main)
