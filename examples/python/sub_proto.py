"""Prints values that come as Protobuf: python sub_proto.py tcp://robot:5556"""

import sys

import zmq

from reading import Reading

socket = zmq.Context().socket(zmq.SUB)
socket.subscribe("")
socket.connect(sys.argv[1])
while True:
    reading = Reading.FromString(socket.recv())
    print(f"heard: {reading.message}, id {reading.id}, value {reading.value}")
