"""Publishes "Message" once a second: python pub.py tcp://*:5556"""

import sys
import time

import zmq

socket = zmq.Context().socket(zmq.PUB)
socket.bind(sys.argv[1])
print("at", socket.get_string(zmq.LAST_ENDPOINT))
while True:
    socket.send_string("Message")
    time.sleep(1)
