"""The record by which the original's nodes find each other: `_topic._uuid._colugo._tcp.local.`

Works with python-zeroconf of today and with 0.20.0, which the original uses."""

import os
import signal
import socket
import uuid

import zeroconf

PUB, REP = "1", "4"  # ZeroMQ's own numbers of the socket types, as text
TYPE = "_colugo._tcp.local."
ADDRESS = os.environ.get("ADDRESS", "127.0.0.1")  # the one by which others reach this host, if there are any
OLD = int(zeroconf.__version__.split(".")[1]) < 24 and zeroconf.__version__.startswith("0.")


def run(main):
    """Runs a program until it ends or is told to, by Ctrl-C or by a service manager: the goodbye is said in both cases."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    discovery = zeroconf.Zeroconf(interfaces=[ADDRESS])
    try:
        main(discovery)
    except KeyboardInterrupt:
        pass
    finally:
        discovery.unregister_all_services()  # close() of 0.20.0 says no goodbye
        discovery.close()


def announce(discovery, topic, socket_type, port):
    """Announces a socket of this host."""
    node = str(uuid.uuid4())
    text = {"topic": topic, "socket_type": socket_type, "node_uuid": node}
    name = "_{}._{}.{}".format(topic, node, TYPE)
    address = socket.inet_aton(ADDRESS)
    if OLD:
        record = zeroconf.ServiceInfo(TYPE, name, address=address, port=port, properties=text)
    else:
        record = zeroconf.ServiceInfo(TYPE, name, addresses=[address], port=port, properties=text)
    discovery.register_service(record)


def browse(discovery, topic, socket_type, found):
    """Calls `found("tcp://address:port")` for each such socket, from a thread of zeroconf's."""

    class Listener:
        def add_service(self, discovery, kind, name):
            record = discovery.get_service_info(kind, name)
            if record is None:
                return
            text = record.properties
            if text.get(b"topic") != topic.encode() or text.get(b"socket_type") != socket_type.encode():
                return
            address = record.address if OLD else record.addresses[0]
            found("tcp://{}:{}".format(socket.inet_ntoa(address), record.port))

        def update_service(self, discovery, kind, name):
            pass

        def remove_service(self, discovery, kind, name):
            pass

    zeroconf.ServiceBrowser(discovery, TYPE, Listener())
