"""Checks that the octets of control.json are the messages beside them, with msgpack alone; --write puts them there."""

import json
import pathlib
import sys

import msgpack

FILE = pathlib.Path(__file__).with_name("control.json")


def plain(value):
    """As JSON has it: octets are {"bin": hexadecimal}."""
    if isinstance(value, bytes):
        return {"bin": value.hex()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def main():
    vectors = json.loads(FILE.read_text())
    for vector in vectors:
        octets = bytes.fromhex(vector["octets"])
        message = plain(msgpack.unpackb(octets))
        if "--write" in sys.argv:
            vector["message"] = message
        assert vector["message"] == message, vector["about"]
    if "--write" in sys.argv:
        lines = ",\n".join("  " + json.dumps(vector, ensure_ascii=False) for vector in vectors)
        FILE.write_text(f"[\n{lines}\n]\n")
    print(len(vectors), "control messages are what they say")


if __name__ == "__main__":
    main()
