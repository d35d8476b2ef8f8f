"""Answers each request with its own words: python rep.py tcp://*:5557"""

import sys

import zmq

socket = zmq.Context().socket(zmq.REP)
socket.bind(sys.argv[1])
print("at", socket.get_string(zmq.LAST_ENDPOINT))
while True:
    request = socket.recv_string()
    print("asked:", request)
    socket.send_string(request)
