"""Asks, waits for the reply or two seconds, and asks again a second later: python req.py tcp://robot:5557"""

import itertools
import sys
import time

import zmq

socket = zmq.Context().socket(zmq.REQ)
socket.setsockopt(zmq.REQ_RELAXED, 1)  # after a timeout, ask again
socket.setsockopt(zmq.REQ_CORRELATE, 1)  # and take no late reply for the next one
socket.setsockopt(zmq.RCVTIMEO, 2000)
socket.connect(sys.argv[1])
for n in itertools.count():
    socket.send_string(f"Message {n}")
    try:
        print("reply:", socket.recv_string())
    except zmq.Again:
        print("no reply")
    time.sleep(1)
