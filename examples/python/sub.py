"""Prints what is published: python sub.py tcp://robot:5556"""

import sys

import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.subscribe("")
socket.connect(sys.argv[1])
while True:
    print("heard:", socket.recv_string())
