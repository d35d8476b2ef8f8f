"""Publishes a value as JSON once a second: python pub_json.py tcp://*:5556"""

import itertools
import sys
import time

import zmq

socket = zmq.Context().socket(zmq.PUB)
socket.bind(sys.argv[1])
print("at", socket.get_string(zmq.LAST_ENDPOINT))
for value in itertools.count():
    socket.send_json({"message": "This is a message", "id": 0, "value": value})
    time.sleep(1)
