"""A Hitstone server on a data folder, asked over a raw socket."""

import json
import os
import socket
import subprocess
import urllib.parse

PARAMETERS = {"event/meta": {"event": "Button Clicked", "event_meta_key": "value"}}


class Hitstone:
    name = "hitstone"

    def __init__(self, binary, folder, host):
        self.binary, self.folder, self.host = binary, folder, host

    def command(self, *arguments):
        done = subprocess.run([self.binary, *arguments, "--data", self.folder, "--json"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def open(self):
        client = self.command("client", "create", "--site", self.host)
        sites = self.command("site", "list")
        self.site = next(site["id"] for site in sites if site["hostname"] == self.host)
        self.server = subprocess.Popen(
            [self.binary, "serve", "--data", self.folder, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
        )
        self.address = self.server.stdout.readline().strip().rsplit("/", 1)[1].split(":")
        self.connect()
        body = json.dumps({key: client[key] for key in ("client_id", "client_secret")})
        self.token = json.loads(self.send(f"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"))["access_token"]

    def connect(self):
        self.socket = socket.create_connection((self.address[0], int(self.address[1])))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.socket.close()
        self.server.terminate()
        self.server.wait()

    def request(self, name, first, last, filters):
        """The bytes of a request; `first` and `last` are dates."""
        query = {"id": self.site, "from": first, "to": last, **PARAMETERS.get(name, {}), **filters}
        target = f"/api/v1/statistics/{name}?{urllib.parse.urlencode(query)}"
        return (
            f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
            "Cache-Control: no-cache\r\nConnection: keep-alive\r\n\r\n"
        )

    def send(self, request):
        """The body of the answer; fails unless its status is 200."""
        self.socket.sendall(request.encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.receive()
        head, body = received.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
        while len(body) < length:
            body += self.receive()
        if " 200 " not in lines[0]:
            raise RuntimeError(f"{lines[0]}: {body.decode()} to {request}")
        return body

    def receive(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise RuntimeError("the server closed the connection")
        return piece

    def memory(self):
        """Resident anonymous memory, bytes."""
        with open(f"/proc/{self.server.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon"))
