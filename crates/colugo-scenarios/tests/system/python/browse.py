"""Prints what python-zeroconf sees of the instance whose name begins as given, one JSON object a line, until its standard input ends.
The second argument is the type; without it, that of our nodes."""

import json
import sys

from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

TYPE = sys.argv[2] if len(sys.argv) > 2 else "_colugo-node._tcp.local."


class Printer(ServiceListener):
    def add_service(self, zeroconf, type_, name):
        # Others come and go meanwhile; to wait for the records of one that has gone takes three seconds.
        if not name.startswith(sys.argv[1]):
            return
        info = zeroconf.get_service_info(type_, name)
        if info:
            txt = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
            record = {"name": name, "port": info.port, "txt": txt, "addresses": info.parsed_addresses()}
            print(json.dumps(record), flush=True)

    def update_service(self, zeroconf, type_, name):
        self.add_service(zeroconf, type_, name)

    def remove_service(self, zeroconf, type_, name):
        if name.startswith(sys.argv[1]):
            print(json.dumps({"gone": name}), flush=True)


zeroconf = Zeroconf()
browser = ServiceBrowser(zeroconf, TYPE, Printer())
sys.stdin.read()
zeroconf.close()
