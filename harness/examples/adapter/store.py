"""A replicated register store of seventy lines, to show how a system is adapted.

n1 takes all writes and copies them to the others behind the answer, so that reads at the others are stale.
Requests and replies are JSON lines: {"op": "read", "key": k}, {"op": "write", "key": k, "value": v},
{"op": "cas", "key": k, "value": [expected, new]}.
"""

import json
import queue
import socketserver
import sys
import threading

node, address, peers = sys.argv[1], sys.argv[2], dict(peer.split("=") for peer in sys.argv[3].split(","))
leads = node == "n1"
data, lock = {}, threading.Lock()
copies = {peer: queue.Queue() for peer in peers if peer != node}


def copier(peer):
    """Sends every write to a peer, in order, for as long as it takes."""
    import socket
    import time

    host, port = peers[peer].rsplit(":", 1)
    line = None
    while True:
        try:
            with socket.create_connection((host, int(port)), timeout=1) as connection:
                stream = connection.makefile("rw")
                while True:
                    line = line or copies[peer].get()
                    stream.write(line)
                    stream.flush()
                    if not stream.readline():
                        raise OSError("closed")
                    line = None
        except OSError:
            time.sleep(0.1)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            request = json.loads(line)
            self.wfile.write((json.dumps(self.answer(request)) + "\n").encode())

    def answer(self, request):
        if request["op"] == "status":
            return {"type": "ok", "leads": leads, "term": 1}
        with lock:
            if request["op"] == "read":
                return {"type": "ok", "value": data.get(request["key"])}
            if request["op"] != "copy" and not leads:
                return {"type": "fail", "error": "n1 takes the writes"}
            value = request["value"]
            if request["op"] == "cas":
                expected, value = value
                if data.get(request["key"]) != expected:
                    return {"type": "fail", "error": "it holds another value"}
            data[request["key"]] = value
            if leads:
                copy = json.dumps({"op": "copy", "key": request["key"], "value": value}) + "\n"
                for each in copies.values():
                    each.put(copy)
            return {"type": "ok"}


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if leads:
    for name in copies:
        threading.Thread(target=copier, args=(name,), daemon=True).start()
host, port = address.rsplit(":", 1)
Server((host, int(port)), Handler).serve_forever()
