"""What belongs together goes to one account, and what only its giver understands back to that."""

import itertools
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Protocol, cast

import msgspec
import pytest

from tests.support.gateway import start
from tests.support.hop import KEY, Hop, post
from tests.support.served import Served
from tests.support.upstream import Read, Received, Send, Upstream, chunk, reply, stream_head
from tests.support.wire import Wire

RESPONSES = "/v1/responses"
ACCOUNTS = 8
CONFIG = """
keys: [{{name: app, key: {key}}}]
providers:
  up:
    type: openai
    base_url: "{url}/v1"
    api_keys: [{api_keys}
routes:
  chat:
    models: [chat]
    targets: [{{provider: up, model: m}}]
{more}
"""


def api_keys(count: int) -> list[str]:
    return [f"account-{at}" for at in range(count)]


class Addressed(Protocol):
    """What has an address."""

    @property
    def url(self) -> str:
        """Where it is."""


def write(
    folder: Path, upstream: Addressed, keys: list[str], more: str, provider: str = ""
) -> Path:
    path = folder / "llm-edge.yaml"
    api_keys = f"{', '.join(keys)}]{provider}"
    path.write_text(CONFIG.format(key=KEY, url=upstream.url, api_keys=api_keys, more=more))
    return path


@contextmanager
def gateway(
    folder: Path,
    upstream: Addressed,
    more: str = "",
    keys: list[str] | None = None,
    provider: str = "",
) -> Iterator[Hop]:
    path = write(folder, upstream, keys or api_keys(ACCOUNTS), more, provider)
    running = start(["serve", "--config", str(path), "--workers", "2"], folder)
    try:
        yield Hop(running, cast("Upstream", upstream))
    finally:
        running.stop()


def account(got: Received) -> str:
    return got.headers["authorization"].removeprefix("Bearer ")


def asked(**fields: object) -> bytes:
    return post(RESPONSES, msgspec.json.encode({"model": "chat", **fields}))


def told(number: int, sealed: str | None = None) -> bytes:
    item = {"type": "reasoning", "id": f"rs_{number}", "encrypted_content": sealed}
    output = [item] if sealed else []
    return msgspec.json.encode({"id": f"resp_{number}", "object": "response", "output": output})


@pytest.mark.parametrize("affinity", ["", "    strategy: affinity\n"])
def test_a_response_is_gone_on_with_by_the_account_that_gave_it(
    tmp_path: Path, upstream: Upstream, affinity: str
) -> None:
    with gateway(tmp_path, upstream, affinity) as hop, hop.connect() as wire:
        owners: dict[int, str] = {}
        for number in range(40):
            upstream.once(Read(), Send(reply(told(number))))
            wire.send(asked(input=f"hello {number}"))
            assert wire.answer().status == 200
            owners[number] = account(upstream.requests[-1])
        assert len(set(owners.values())) > 4
        upstream.always(Read(), Send(reply(told(999))))
        # Backwards: in the order in which they came they would get the same ones in turn.
        for number, owner in reversed(owners.items()):
            wire.send(asked(input="and now?", previous_response_id=f"resp_{number}"))
            assert wire.answer().status == 200
            assert account(upstream.requests[-1]) == owner


def reasoned(number: int) -> bytes:
    """A whole response that begins with encrypted reasoning."""
    said = {"type": "output_text", "text": "hi", "annotations": []}
    thought = {"type": "reasoning", "id": f"rs_{number}", "summary": []}
    output = [
        {**thought, "encrypted_content": f"gAAAA{number:04d}x/+="},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [said]},
    ]
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    told = {"id": f"resp_{number}", "object": "response", "status": "completed", "model": "m"}
    return msgspec.json.encode({**told, "output": output, "usage": usage})


@pytest.mark.parametrize("surface", ["messages", "gemini"])
def test_encrypted_reasoning_told_as_a_signature_goes_back_to_who_gave_it(
    tmp_path: Path, upstream: Upstream, surface: str
) -> None:
    path = {"messages": "/v1/messages", "gemini": "/v1beta/models/chat:generateContent"}[surface]

    def ask(wire: Wire, turns: list[object]) -> object:
        if surface == "messages":
            body = {"model": "chat", "max_tokens": 4096, "messages": turns}
        else:
            body = {"contents": turns}
        wire.send(post(path, msgspec.json.encode(body)))
        answer = wire.answer()
        assert answer.status == 200, answer.body
        told = msgspec.json.decode(answer.body)
        if surface == "messages":
            return {"role": "assistant", "content": told["content"]}
        return told["candidates"][0]["content"]

    question = {"role": "user", "content": "hello", "parts": [{"text": "hello"}]}
    del question["parts" if surface == "messages" else "content"]
    only = "\n    operations: {responses: /responses}"
    with gateway(tmp_path, upstream, provider=only) as hop, hop.connect() as wire:
        given: list[tuple[int, object, str]] = []
        for number in range(ACCOUNTS):
            upstream.once(Read(), Send(reply(reasoned(number))))
            told = ask(wire, [question])
            given.append((number, told, account(upstream.requests[-1])))
        assert len({owner for _, _, owner in given}) == ACCOUNTS
        upstream.always(Read(), Send(reply(reasoned(999))))
        for number, told, owner in reversed(given):
            ask(wire, [question, told, question])
            assert account(upstream.requests[-1]) == owner
            assert f"gAAAA{number:04d}x/+=".encode() in upstream.requests[-1].body


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_encrypted_reasoning_goes_back_to_who_gave_it_however_its_stream_was_cut(
    tmp_path: Path, upstream: Upstream, cut: int
) -> None:
    sealed = {number: f"gAAAA{number:04d}" + "x/+=" * 50 for number in range(8)}
    with gateway(tmp_path, upstream) as hop, hop.connect() as wire:
        owners = {}
        for number, text in sealed.items():
            data = b"event: response.completed\ndata: %s\n\n" % msgspec.json.encode(
                {"type": "response.completed", "response": msgspec.Raw(told(number, text))}
            )
            pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
            upstream.once(Read(), Send(stream_head() + b"".join(map(chunk, pieces)) + chunk(b"")))
            wire.send(asked(input="hello", stream=True))
            assert wire.answer().complete
            owners[number] = account(upstream.requests[-1])
        assert len(set(owners.values())) == ACCOUNTS
        upstream.always(Read(), Send(reply(told(999))))
        for number, owner in reversed(owners.items()):
            item = {"type": "reasoning", "summary": [], "encrypted_content": sealed[number]}
            wire.send(asked(input=[item, {"role": "user", "content": "and now?"}]))
            assert wire.answer().status == 200
            assert account(upstream.requests[-1]) == owner


def test_who_owned_it_and_is_gone_is_told(tmp_path: Path, upstream: Upstream) -> None:
    with gateway(tmp_path, upstream, keys=["one", "two"]) as hop:
        owners = {}
        with hop.connect() as wire:
            for number in range(2):
                upstream.once(Read(), Send(reply(told(number))))
                wire.send(asked(input="hello"))
                assert wire.answer().status == 200
                owners[account(upstream.requests[-1])] = number
        write(tmp_path, upstream, ["two"], "")
        hop.running.reload()
        seen = hop.seen
        answer = hop.ask(asked(input="b", previous_response_id=f"resp_{owners['one']}"))
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["code"]) == (409, "owner_gone")
        assert hop.seen == seen
        upstream.always(Read(), Send(reply(told(9))))
        answer = hop.ask(asked(input="b", previous_response_id=f"resp_{owners['two']}"))
        assert answer.status == 200


def test_turns_of_a_conversation_keep_their_account_and_conversations_are_spread(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.always(Read(), Send(reply(b"{}")))
    chat = "/v1/chat/completions"
    accounts: dict[int, set[str]] = defaultdict(set)

    def talk(hop: Hop, first: int) -> None:
        with hop.connect() as wire:
            for number in range(first, first + 50):
                turns = [{"role": "user", "content": f"question {number}"}]
                for _ in range(3):
                    wire.send(post(chat, msgspec.json.encode({"model": "chat", "messages": turns})))
                    assert wire.answer().status == 200
                    turns += [
                        {"role": "assistant", "content": "yes"},
                        {"role": "user", "content": "and?"},
                    ]

    with gateway(tmp_path, upstream, "    strategy: affinity\n") as hop:
        threads = [threading.Thread(target=talk, args=(hop, 50 * at)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    for got in upstream.requests:
        first = msgspec.json.decode(got.body)["messages"][0]["content"]
        accounts[int(first.split()[1])].add(account(got))
    assert len(accounts) == 200
    assert all(len(of_one) == 1 for of_one in accounts.values())
    assert len(set.union(*accounts.values())) == ACCOUNTS


class Accounts(Served):
    """A provider with accounts, each of which understands what it gave itself alone."""

    def __init__(self, dies: str, after: int) -> None:
        self._dies = dies
        self._lasts = itertools.repeat(True, after)
        self.wrong: list[str] = []
        self.refused = 0
        self._count = itertools.count()
        accounts = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body leave in one piece.
            wbufsize = 65536

            def do_POST(self) -> None:
                account = self.headers["authorization"].removeprefix("Bearer ")
                body = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
                status, answer = accounts.answer(account, body)
                data = msgspec.json.encode(answer)
                self.send_response_only(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Nothing: standard error is the tests'."""

        super().__init__(Handler)

    def answer(self, account: str, body: dict[str, str]) -> tuple[int, dict[str, object]]:
        before = body.get("previous_response_id")
        if before and not next(self._lasts, False) and account == self._dies:
            self.refused += 1
            return 401, {"error": {"message": "no such account", "code": "invalid_api_key"}}
        if before and before.split("_")[1] != account:
            self.wrong.append(before)
        return 200, {"id": f"resp_{account}_{next(self._count)}", "object": "response"}


CONVERSATIONS = 10_000
CLIENTS = 4


def test_no_conversation_goes_on_at_a_wrong_account_when_one_dies_midway(tmp_path: Path) -> None:
    outcomes: Counter[tuple[str, int]] = Counter()

    def first_turns(hop: Hop, count: int) -> list[str]:
        with hop.connect() as wire:
            given = []
            for at in range(count):
                wire.send(asked(input=f"question {at}"))
                answer = wire.answer()
                assert answer.status == 200
                given.append(msgspec.json.decode(answer.body)["id"])
            return given

    def second_turns(hop: Hop, given: list[str]) -> list[tuple[str, int, str]]:
        with hop.connect() as wire:
            told = []
            for response in given:
                wire.send(asked(input="and?", previous_response_id=response))
                answer = wire.answer()
                told.append((response, answer.status, answer.body.decode()))
            return told

    with (
        Accounts("account-3", after=CONVERSATIONS // 2) as accounts,
        ThreadPoolExecutor(CLIENTS) as pool,
        gateway(tmp_path, accounts) as hop,
    ):
        share = [hop] * CLIENTS, [CONVERSATIONS // CLIENTS] * CLIENTS
        given = list(pool.map(first_turns, *share))
        for response, status, body in itertools.chain(*pool.map(second_turns, share[0], given)):
            outcomes[response.split("_")[1], status] += 1
            assert status == 200 or msgspec.json.decode(body)["error"]["code"] == "owner_gone"
    assert accounts.wrong == []
    assert outcomes.total() == CONVERSATIONS
    assert {account for account, status in outcomes if status == 200} == set(api_keys(ACCOUNTS))
    assert {one: count for one, count in outcomes.items() if one[1] != 200} == {
        ("account-3", 409): accounts.refused
    }
    assert accounts.refused > CONVERSATIONS // ACCOUNTS // 4
