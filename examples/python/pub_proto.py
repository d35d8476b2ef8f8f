"""Publishes a value as Protobuf once a second: python pub_proto.py tcp://*:5556"""

import itertools
import sys
import time

import zmq

from reading import Reading

socket = zmq.Context().socket(zmq.PUB)
socket.bind(sys.argv[1])
print("at", socket.get_string(zmq.LAST_ENDPOINT))
for value in itertools.count():
    socket.send(Reading(message="This is a message", id=0, value=value).SerializeToString())
    time.sleep(1)
