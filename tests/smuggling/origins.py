"""The servers behind the gateway: how each is started, and what it has seen.

A server that is a proxy (nginx, haproxy, …) has an origin of ours behind it, which sees what its
parser made of the bytes; one that runs applications has `apps.py` or its like.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MODULES = Path("/usr/lib/apache2/modules")
Start = Callable[["Place"], list[str]]


@dataclass(frozen=True)
class Place:
    """Where a server works: its folder, its port, and that of the origin behind it."""

    folder: Path
    python: str
    port: int
    behind: int

    def write(self, name: str, text: str) -> str:
        """A configuration file."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


def nginx(at: Place) -> list[str]:
    """nginx, buffering requests as it does by default."""
    return ["nginx", "-p", str(at.folder), "-e", "stderr", "-c", at.write("nginx.conf", f"""
daemon off;
pid nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  server {{
    listen 127.0.0.1:{at.port};
    location / {{
      proxy_pass http://127.0.0.1:{at.behind};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
""")]  # fmt: skip


def haproxy(at: Place) -> list[str]:
    """HAProxy in HTTP mode."""
    return ["haproxy", "-db", "-f", at.write("haproxy.cfg", f"""
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
frontend edge
  bind 127.0.0.1:{at.port}
  default_backend behind
backend behind
  server one 127.0.0.1:{at.behind}
""")]  # fmt: skip


def apache(at: Place) -> list[str]:
    """Apache httpd with mod_proxy_http, as strict as it is by default."""
    user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
    load = "\n".join(
        f"LoadModule {name}_module {MODULES}/mod_{name}.so"
        for name in ("mpm_event", "authz_core", "proxy", "proxy_http")
    )
    return ["apache2", "-DFOREGROUND", "-f", at.write("apache.conf", f"""
ServerRoot {at.folder}
ServerName edge
DefaultRuntimeDir {at.folder}
PidFile {at.folder}/apache.pid
Listen 127.0.0.1:{at.port}
{load}
{user}
ErrorLog /dev/stderr
KeepAliveTimeout 20
ProxyPass / http://127.0.0.1:{at.behind}/
""")]  # fmt: skip


def lighttpd(at: Place) -> list[str]:
    """lighttpd with mod_proxy."""
    return ["lighttpd", "-D", "-f", at.write("lighttpd.conf", f"""
server.document-root = "{at.folder}"
server.bind = "127.0.0.1"
server.port = {at.port}
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {at.behind})))
""")]  # fmt: skip


def varnish(at: Place) -> list[str]:
    """Varnish, which passes everything."""
    vcl = at.write(
        "varnish.vcl",
        f"""
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{at.behind}"; }}
sub vcl_recv {{ return (pass); }}
""",
    )
    state = str(at.folder / "varnish")
    listen = f"127.0.0.1:{at.port}"
    return [
        "varnishd",
        "-F",
        "-a",
        listen,
        "-f",
        vcl,
        "-n",
        state,
        "-s",
        "malloc,16m",
        "-T",
        "none",
    ]


def envoy(at: Place) -> list[str]:
    """Envoy with an HTTP connection manager in its default strictness."""
    listener = f"{{socket_address: {{address: 127.0.0.1, port_value: {at.port}}}}}"
    behind = f"{{socket_address: {{address: 127.0.0.1, port_value: {at.behind}}}}}"
    types = "type.googleapis.com/envoy.extensions.filters"
    config = at.write(
        "envoy.yaml",
        f"""
static_resources:
  listeners:
  - address: {listener}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": {types}.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: edge
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: "/"}}, route: {{cluster: behind}}}}]
          http_filters:
          - name: router
            typed_config: {{"@type": {types}.http.router.v3.Router}}
  clusters:
  - name: behind
    connect_timeout: 5s
    load_assignment:
      cluster_name: behind
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {behind}}}}}]}}]
""",
    )
    tool = str(Path(at.python).with_name("envoy"))
    return [tool, "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "error"]


def _module(*words: str) -> Start:
    return lambda at: [
        at.python, "-m", *(word.format(port=at.port) for word in words)
    ]  # fmt: skip


PROXIES: dict[str, Start] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "apache": apache,
    "lighttpd": lighttpd,
    "varnish": varnish,
    "envoy": envoy,
}
SERVERS: dict[str, Start] = {
    "uvicorn-h11": _module(
        "uvicorn", "tests.smuggling.apps:asgi", "--http", "h11", "--port", "{port}", "--log-level",
        "error",
    ),
    "uvicorn-httptools": _module(
        "uvicorn", "tests.smuggling.apps:asgi", "--http", "httptools", "--port", "{port}",
        "--log-level", "error",
    ),
    "hypercorn": _module("hypercorn", "tests.smuggling.apps:asgi", "--bind", "127.0.0.1:{port}"),
    "granian": _module(
        "granian", "tests.smuggling.apps:asgi", "--interface", "asgi", "--port", "{port}",
        "--log-level", "error",
    ),
    "gunicorn": _module(
        "gunicorn", "tests.smuggling.apps:wsgi", "--bind", "127.0.0.1:{port}", "--worker-class",
        "gthread",
        "--threads", "8", "--keep-alive", "20", "--log-level", "error",
    ),
    "waitress": _module("waitress", "--listen", "127.0.0.1:{port}", "tests.smuggling.apps:wsgi"),
    "aiohttp": _module("tests.smuggling.apps", "{port}"),
    "node": lambda at: ["node", "tests/smuggling/origin.cjs", str(at.port)],
}  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Origin:
    """One server, running."""

    def __init__(self, name: str, at: Place) -> None:
        self.name = name
        self.port = at.port
        self._record = at.folder / "seen"
        self._log = at.folder / "log"
        start = (PROXIES | SERVERS)[name]
        self._is_server = name in SERVERS
        env = os.environ | {"RECORD": str(self._record), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                start(at), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )

    def accepts(self) -> bool:
        """Whether it is up.

        Raises:
            RuntimeError: It has ended; the message holds what it said.
        """
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} ended with {self._process.returncode}:\n{said}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def seen(self) -> list[tuple[str, ...]] | None:
        """What its application recorded: method, path, id, digest. None for a proxy."""
        if not self._is_server:
            return None
        if not self._record.exists():
            return []
        return [tuple(line.split(" ")) for line in self._record.read_text().splitlines()]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


if __name__ == "__main__":
    sys.exit("this module is used by tests.smuggling.run")
