"""Prints each node record that python-zeroconf resolves, one JSON object a line, until its standard input ends."""

import json
import sys

from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

TYPE = "_colugo-node._tcp.local."


class Printer(ServiceListener):
    def add_service(self, zeroconf, type_, name):
        info = zeroconf.get_service_info(type_, name)
        if info:
            txt = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
            record = {"name": name, "port": info.port, "txt": txt, "addresses": info.parsed_addresses()}
            print(json.dumps(record), flush=True)

    def update_service(self, zeroconf, type_, name):
        self.add_service(zeroconf, type_, name)

    def remove_service(self, zeroconf, type_, name):
        print(json.dumps({"gone": name}), flush=True)


zeroconf = Zeroconf()
browser = ServiceBrowser(zeroconf, TYPE, Printer())
sys.stdin.read()
zeroconf.close()
