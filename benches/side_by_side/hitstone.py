"""A Hitstone server on a data folder, asked over a raw socket."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.parse
from typing import Any

import page_cache

HEALTH_CHECK = "GET /api/v1/healthcheck HTTP/1.1\r\nHost: x\r\n\r\n"
PARAMETERS = {"event/meta": {"event": "Button Clicked", "event_meta_key": "value"}}


class Hitstone:
    name = "hitstone"

    def __init__(self, binary: str, folder: str, host: str):
        self.binary, self.folder, self.host = binary, os.path.abspath(folder), host
        client = self.run(binary, folder, "client", "create", "--site", host)
        self.credentials = json.dumps({key: client[key] for key in ("client_id", "client_secret")})
        sites = self.run(binary, folder, "site", "list")
        self.site = next(site["id"] for site in sites if site["hostname"] == host)
        self.token = ""

    @staticmethod
    def run(binary: str, folder: str, *arguments: str) -> Any:
        """What a command prints."""
        done = subprocess.run([binary, *arguments, "--data", folder, "--json"], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"hitstone {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)

    def open(self) -> float:
        """Starts the server. Returns the seconds until it answers."""
        begun = time.perf_counter()
        serve = [self.binary, "serve", "--data", self.folder, "--listen", "127.0.0.1:0"]
        self.server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        host, port = self.server.stdout.readline().strip().rsplit("/", 1)[1].split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ask(HEALTH_CHECK)
        took = time.perf_counter() - begun
        if not self.token:
            head = f"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(self.credentials)}\r\n\r\n"
            self.token = json.loads(self.ask(head + self.credentials))["access_token"]
        return took

    def close(self) -> None:
        self.socket.close()
        self.server.terminate()
        self.server.wait()

    def forget(self) -> None:
        """Drops what it has read: the process, too, as it has files mapped. Not the program, as the peers' stay mapped."""
        self.close()
        page_cache.evict(self.folder)
        page_cache.drop_all()
        page_cache.take(self.binary)
        self.open()

    def request(self, name: str, first: str, last: str, filters: dict[str, str], cached: bool = False) -> str:
        """A request for a statistic; `first` and `last` are dates. `cached`: it may be answered from memory."""
        query = {"id": self.site, "from": first, "to": last, **PARAMETERS.get(name, {}), **filters}
        target = f"/api/v1/statistics/{name}?{urllib.parse.urlencode(query)}"
        control = "" if cached else "Cache-Control: no-cache\r\n"
        return f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n{control}Connection: keep-alive\r\n\r\n"

    def ask(self, request: str) -> bytes:
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

    def receive(self) -> bytes:
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise RuntimeError("the server closed the connection")
        return piece

    def touched(self, request: str) -> int:
        """Bytes of memory that a request touches beyond what a health check does."""
        return max(0, self.used(request) - self.used(HEALTH_CHECK))

    def used(self, request: str) -> int:
        """Bytes of the data folder's files and of the heap in whole pages: the system marks those that are used."""
        with open(f"/proc/{self.server.pid}/clear_refs", "w") as file:
            file.write("1")
        self.ask(request)
        total, counts = 0, False
        with open(f"/proc/{self.server.pid}/smaps") as lines:
            for line in lines:
                if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                    fields = line.split(maxsplit=5)
                    path = fields[5].strip() if len(fields) > 5 else ""
                    counts = path in ("", "[heap]") or path.startswith(self.folder)
                elif counts and line.startswith("Referenced:"):
                    total += int(line.split()[1]) << 10
        return total

    def memory(self) -> int:
        """Resident anonymous memory, bytes."""
        with open(f"/proc/{self.server.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon"))
