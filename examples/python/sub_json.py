"""Prints values that come as JSON: python sub_json.py tcp://robot:5556"""

import sys

import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.subscribe("")
socket.connect(sys.argv[1])
while True:
    reading = socket.recv_json()
    print(f"heard: {reading['message']}, id {reading['id']}, value {reading['value']}")
