"""The client program of the adapter: JSON lines from the harness on stdin, replies on stdout."""

import json
import socket
import sys

stream = None


def ask(request):
    stream.write(json.dumps(request) + "\n")
    stream.flush()
    line = stream.readline()
    if not line:
        raise OSError("the node closed the connection")
    return json.loads(line)


for line in sys.stdin:
    request = json.loads(line)
    try:
        if request["op"] == "open":
            host, port = request["address"].rsplit(":", 1)
            connection = socket.create_connection((host, int(port)))
            stream = connection.makefile("rw")
            reply = {"type": "ok"}
        elif request["op"] == "status":
            reply = ask({"op": "status"})
        else:
            reply = ask({"op": request["f"], "key": request["key"], "value": request["value"]})
            reply.setdefault("value", request["value"])
    except OSError as error:
        # A request may have been sent: only what was never sent has surely no effect.
        reply = {"type": "fail" if stream is None else "info", "error": str(error)}
    print(json.dumps(reply), flush=True)
    if reply["type"] == "info":
        sys.exit(1)
