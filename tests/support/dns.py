"""A name server of the tests' own, and a program that asks no other.

The program runs in a mount namespace in which `/etc/resolv.conf` and the order of look-ups are
ours, so what it does is what it does on any machine: it asks the system's resolver.
"""

import contextlib
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Self

_PORT = 53
_A, _AAAA = 1, 28
_SERVFAIL, _NXDOMAIN = 2, 3


@dataclass
class NameServer:
    """Answers for the names it knows. Use it as a context manager."""

    names: dict[str, list[str]] = field(default_factory=dict)
    """Name without the last dot → addresses; a name that is not there does not exist."""
    silent: bool = False
    """Say nothing at all."""
    broken: bool = False
    """Say that something went wrong."""
    asked: int = 0

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A port cannot be said in resolv.conf, an address of this machine can.
        for last in range(1, 255):
            with contextlib.suppress(OSError):
                self._socket.bind((f"127.53.{last}.1", _PORT))
                break
        self.address: str = self._socket.getsockname()[0]
        threading.Thread(target=self._serve, name="name-server", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def launcher(self, folder: Path) -> list[str]:
        """What a command line must begin with for its look-ups to come here."""
        resolv, nsswitch = folder / "resolv.conf", folder / "nsswitch.conf"
        resolv.write_text(f"nameserver {self.address}\noptions timeout:1 attempts:1\n")
        nsswitch.write_text("hosts: files dns\n")
        script = (
            f"mount --bind {resolv} /etc/resolv.conf && "
            f'mount --bind {nsswitch} /etc/nsswitch.conf && exec "$@"'
        )
        launcher = ["unshare", "--mount", "sh", "-c", script, "sh"]
        subprocess.run([*launcher, "true"], check=True, timeout=10)
        return launcher

    def _serve(self) -> None:
        while True:
            try:
                question, asker = self._socket.recvfrom(2048)
            except OSError:
                return
            self.asked += 1
            if not self.silent:
                with contextlib.suppress(OSError):
                    self._socket.sendto(self._answer(question), asker)

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode())
            at += 1 + length
        kind = struct.unpack(">H", question[at + 1 : at + 3])[0]
        asked = question[12 : at + 5]
        addresses = self.names.get(".".join(labels).lower())
        code = _SERVFAIL if self.broken else _NXDOMAIN if addresses is None else 0
        found = [ip_address(address) for address in addresses or () if not code]
        records = [
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(each.packed)) + each.packed
            for each in found
            if each.version == {_A: 4, _AAAA: 6}.get(kind)
        ]
        head = struct.pack(">HHHHHH", 0, 0x8180 | code, 1, len(records), 0, 0)
        return question[:2] + head[2:] + asked + b"".join(records)
