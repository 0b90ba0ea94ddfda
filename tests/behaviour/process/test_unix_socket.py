"""The API on a Unix socket: the same gateway, reached by a file."""

import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import openai
import pytest

from tests.support.gateway import Running, clean_environment, program, start
from tests.support.hop import CHAT, KEY, body, config, post
from tests.support.streams import EVENTS, TEXT, chunked, whole
from tests.support.upstream import AwaitClose, Close, Read, Send, Upstream, chunk, stream_head

CONTROL = ("--admin-port", "0", "--metrics-port", "0")
Start = Callable[..., Running]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


@pytest.fixture
def start_unix(tmp_path: Path, upstream: Upstream, place: Path) -> Iterator[Start]:
    """A factory of gateways on the socket; `more` are flags."""
    started: list[Running] = []

    def factory(*more: str, mode: str = "0600", areas: str = "") -> Running:
        folder = tmp_path / f"gateway-{len(started)}"
        folder.mkdir()
        path = folder / "llm-edge.yaml"
        listen = f'listen: {{api: "unix:{place}", api_mode: "{mode}"}}'
        path.write_text(config(upstream.url, f"{listen}\n{areas}"))
        running = start(["serve", "--config", str(path), *more], folder, ports=CONTROL)
        started.append(running)
        return running

    yield factory
    for running in started:
        running.stop()


def connect(place: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(str(place))
    return made


def ask(place: Path, data: bytes) -> bytes:
    """Send a request, and read until the connection ends, which it asks for."""
    with connect(place) as made:
        made.sendall(data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        got = b""
        while piece := made.recv(1 << 16):
            got += piece
    return got


def test_the_first_line_and_the_log_say_where(start_unix: Start, place: Path) -> None:
    running = start_unix()
    assert running.socket == str(place)
    assert running.api == "http://localhost/v1"
    assert f'"api":"unix:{place}"' in running.log().replace(" ", "")
    headers = {"authorization": f"Bearer {running.admin_token}"}
    with httpx2.Client(trust_env=False) as client:
        status = client.get(f"{running.admin}/api/v1/status", headers=headers).json()
    assert status["address"] == f"unix:{place}"


@pytest.mark.parametrize(("mode", "wanted"), [("0600", 0o600), ("666", 0o666), ("0660", 0o660)])
def test_the_file_has_the_permissions_that_were_asked_for(
    start_unix: Start, place: Path, mode: str, wanted: int
) -> None:
    start_unix(mode=mode)
    found = place.lstat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == wanted
    # Nothing is left of what it was made as.
    assert [each.name for each in place.parent.glob("api.sock*")] == ["api.sock"]


def test_keys_are_needed_as_everywhere(start_unix: Start, place: Path, upstream: Upstream) -> None:
    start_unix()
    assert b" 401 " in ask(place, post(key=None)).split(b"\r\n")[0]
    assert b" 200 " in ask(place, post()).split(b"\r\n")[0]
    assert len(upstream.requests) == 1


def test_the_sdk_streams(start_unix: Start, place: Path, upstream: Upstream) -> None:
    running = start_unix()
    upstream.always(Read(), Send(chunked(EVENTS["chat"]), piece=11))
    transport = httpx2.HTTPTransport(uds=str(place))
    with (
        httpx2.Client(transport=transport) as http,
        openai.OpenAI(base_url=running.api, api_key=KEY, http_client=http) as client,
    ):
        for _ in range(3):
            said = [{"role": "user", "content": "x"}]
            stream = client.chat.completions.create(model="up/m", messages=said, stream=True)
            text = "".join(event.choices[0].delta.content or "" for event in stream)
            assert text == TEXT.replace(" ", "")


def test_http2_is_spoken_by_prior_knowledge(
    start_unix: Start, place: Path, upstream: Upstream
) -> None:
    running = start_unix()
    upstream.always(Read(), Send(chunked(EVENTS["chat"])))
    transport = httpx2.HTTPTransport(uds=str(place), http1=False, http2=True)
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx2.Client(transport=transport, base_url=running.anthropic, headers=headers) as client:
        answers = [client.post(CHAT, content=body(stream=True)) for _ in range(3)]
    assert [answer.http_version for answer in answers] == ["HTTP/2"] * 3
    assert [answer.content for answer in answers] == [whole("chat")] * 3


@pytest.mark.parametrize("cut", [1, 3, 17, 23])
def test_a_first_line_in_two_pieces_is_read_as_what_it_is(
    start_unix: Start, place: Path, cut: int
) -> None:
    start_unix()
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for data in (post(), b"PRI" + post()[4:], preface + b"\0\0\0\4\0\0\0\0\0"):
        with connect(place) as made:
            made.sendall(data[:cut])
            made.settimeout(0.05)
            with pytest.raises(TimeoutError):
                made.recv(1)
            made.settimeout(10)
            made.sendall(data[cut:])
            got = made.recv(1 << 16)
            if data.startswith(preface):
                # Settings, and no page of HTTP/1.1.
                assert got[3] == 4
            else:
                assert got.startswith(b"HTTP/1.1 200" if data == post() else b"HTTP/1.1 4")


@pytest.mark.behaviour("B01")
def test_a_client_that_leaves_is_noticed(
    start_unix: Start, place: Path, upstream: Upstream
) -> None:
    start_unix()
    upstream.always(Read(), Send(stream_head()), AwaitClose())
    for count in range(1, 4):
        with connect(place) as made:
            made.sendall(post(data=body(stream=True)))
            assert made.recv(1 << 16)
        upstream.wait_for(cancelled=count, timeout_s=1)


@pytest.mark.behaviour("B04")
def test_a_stream_that_breaks_off_does_not_end_whole(
    start_unix: Start, place: Path, upstream: Upstream
) -> None:
    start_unix()
    upstream.always(Read(), Send(stream_head() + chunk(EVENTS["chat"][0])), Close())
    with connect(place) as made:
        made.sendall(post(data=body(stream=True)))
        got = b""
        while piece := made.recv(1 << 16):
            got += piece
    assert b'"error"' in got
    assert not got.endswith(b"0\r\n\r\n")


def test_all_workers_share_the_socket(start_unix: Start, place: Path) -> None:
    start_unix("--workers", "3")
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: ask(place, post()), range(200)))
    assert all(b" 200 " in each.split(b"\r\n")[0] for each in got)


def test_the_file_goes_with_the_gateway(start_unix: Start, place: Path) -> None:
    start_unix().stop()
    assert not place.exists()


def test_a_file_that_a_killed_gateway_left_is_replaced(start_unix: Start, place: Path) -> None:
    killed = start_unix()
    killed.process.send_signal(signal.SIGKILL)
    killed.process.communicate()
    killed.stopped = True
    assert place.exists()
    start_unix()
    assert b" 200 " in ask(place, post()).split(b"\r\n")[0]


def refused(folder: Path, place: Path, upstream: Upstream) -> str:
    path = folder / "llm-edge.yaml"
    path.write_text(config(upstream.url, f'listen: {{api: "unix:{place}"}}'))
    ended = subprocess.run(
        [*program(), "serve", "--config", str(path), *CONTROL],
        capture_output=True,
        text=True,
        timeout=20,
        env=clean_environment(folder, None),
        check=False,
    )
    assert ended.returncode != 0
    return ended.stdout + ended.stderr


def test_a_socket_on_which_somebody_listens_is_left_alone(
    start_unix: Start, place: Path, upstream: Upstream, tmp_path: Path
) -> None:
    start_unix()
    before = place.stat().st_ino
    said = refused(tmp_path, place, upstream)
    assert f"`{place}` is taken by another program" in said
    assert place.stat().st_ino == before
    assert b" 200 " in ask(place, post()).split(b"\r\n")[0]


def test_a_file_that_is_no_socket_is_left_alone(
    place: Path, upstream: Upstream, tmp_path: Path
) -> None:
    place.write_text("mine")
    said = refused(tmp_path, place, upstream)
    assert f"`{place}` exists and is no socket" in said
    assert place.read_text() == "mine"


def test_a_folder_that_does_not_exist_is_named(upstream: Upstream, tmp_path: Path) -> None:
    said = refused(tmp_path, tmp_path / "nowhere" / "api.sock", upstream)
    assert "does not exist" in said


@pytest.mark.behaviour("B28")
def test_an_overlapped_restart_loses_no_request(
    start_unix: Start, place: Path, upstream: Upstream
) -> None:
    old = start_unix(areas="reuse_port: true")
    going = True

    def keep_asking(_: int) -> int:
        count = 0
        while going:
            assert b" 200 " in ask(place, post()).split(b"\r\n")[0]
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(keep_asking, each) for each in range(4)]
        try:
            for _ in range(3):
                new = start_unix(areas="reuse_port: true")
                old.stop()
                # The file is the new one's: the old one did not take it away.
                assert place.exists()
                old = new
        finally:
            going = False
        assert all(each.result() > 0 for each in asked)
    assert len(upstream.requests) >= 4


def test_the_health_check_asks_the_socket(start_unix: Start, place: Path) -> None:
    running = start_unix()
    path = running.log_path.with_name("llm-edge.yaml")
    ended = subprocess.run(
        [*program(), "healthcheck", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        env=clean_environment(path.parent, None),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert place.exists()
