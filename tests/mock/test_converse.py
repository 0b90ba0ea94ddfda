"""Amazon's own client against the mock's Converse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from urllib3.exceptions import ProtocolError

from tests.mock.asks import ARGUMENTS, TEXT, WEATHER
from tests.schemas.judge import Judge
from tests.support.amazon import KEY_ID, REGION, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

USER = [{"role": "user", "content": [{"text": TEXT}]}]
TOOLS = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": WEATHER}}}]}


@pytest.fixture(scope="module")
def aws(mock_address: str) -> Iterator[BaseClient]:
    client = botocore.session.get_session().create_client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=mock_address,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=20, proxies={}),
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge("amazon")


def streamed(aws: BaseClient, **ask: object) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream: type and payload."""
    return [
        (kind, payload)
        for event in aws.converse_stream(**ask)["stream"]
        for kind, payload in event.items()
    ]


def folded(events: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The blocks of a message that came as events."""
    blocks: list[dict[str, Any]] = []
    for kind, payload in events:
        if kind not in {"contentBlockStart", "contentBlockDelta"}:
            continue
        if payload["contentBlockIndex"] == len(blocks):
            blocks.append({})
        block = blocks[payload["contentBlockIndex"]]
        if kind == "contentBlockStart":
            block["toolUse"] = payload["start"]["toolUse"] | {"input": ""}
        elif text := payload["delta"].get("text"):
            block["text"] = block.get("text", "") + text
        elif call := payload["delta"].get("toolUse"):
            block["toolUse"]["input"] += call["input"]
        else:
            thought = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {})
            for name, piece in payload["delta"]["reasoningContent"].items():
                thought[name] = thought.get(name, "") + piece
    for block in blocks:
        if call := block.get("toolUse"):
            call["input"] = msgspec.json.decode(call["input"])
    return blocks


@pytest.mark.parametrize("model", ["echo", "mock/echo", "thinking", "tools", "lorem?tokens=30"])
def test_an_answer_is_the_same_whole_and_streamed(
    aws: BaseClient, judge: Judge, model: str
) -> None:
    ask = {"modelId": model, "messages": USER, "toolConfig": TOOLS}
    whole = aws.converse(**ask)
    assert whole.pop("ResponseMetadata")["RequestId"].startswith("req_")
    assert judge.faults("ConverseResponse", whole) == set()
    events = streamed(aws, **ask)
    for kind, payload in events:
        assert judge.faults("ConverseStreamOutput", {kind: payload}) == set()
    blocks = whole["output"]["message"]["content"]
    for block in [*blocks, *(came := folded(events))]:
        block.get("toolUse", {}).pop("toolUseId", None)
    assert came == blocks
    (_, start), (_, stop), (kind, last) = events[0], events[-2], events[-1]
    assert (start["role"], stop["stopReason"], kind) == (
        "assistant",
        whole["stopReason"],
        "metadata",
    )
    assert last["usage"] == whole["usage"]
    assert whole["stopReason"] == ("tool_use" if model == "tools" else "end_turn")
    if model.endswith("echo"):
        assert blocks == [{"text": TEXT}]


def test_a_tool_is_called_and_its_result_taken(aws: BaseClient) -> None:
    ask = {"modelId": "tools", "toolConfig": TOOLS | {"toolChoice": {"any": {}}}}
    said = aws.converse(**ask, messages=USER)["output"]["message"]
    (call,) = [block["toolUse"] for block in said["content"]]
    assert (call["name"], call["input"]) == ("weather", ARGUMENTS)
    result = {"toolUseId": call["toolUseId"], "content": [{"text": "sunny"}]}
    turns = [*USER, said, {"role": "user", "content": [{"toolResult": result}]}]
    again = aws.converse(**ask, messages=turns)["output"]["message"]
    assert again["content"] == [{"text": "The tool answered: sunny"}]


def test_structured_output_has_its_schema(aws: BaseClient) -> None:
    structure = {"jsonSchema": {"schema": msgspec.json.encode(WEATHER).decode()}}
    config = {"textFormat": {"type": "json_schema", "structure": structure}}
    said = aws.converse(modelId="json", messages=USER, outputConfig=config)
    (block,) = said["output"]["message"]["content"]
    assert msgspec.json.decode(block["text"]) == ARGUMENTS


def test_limits_and_stop_sequences_are_told(aws: BaseClient) -> None:
    ask = {
        "modelId": "echo",
        "messages": [{"role": "user", "content": [{"text": "one two three"}]}],
    }
    limited = aws.converse(**ask, inferenceConfig={"maxTokens": 2})
    assert (limited["stopReason"], limited["usage"]["outputTokens"]) == ("max_tokens", 2)
    stopped = aws.converse(**ask, inferenceConfig={"stopSequences": ["three"]})
    assert stopped["stopReason"] == "stop_sequence"
    assert stopped["output"]["message"]["content"] == [{"text": "one two "}]


def test_counted_tokens_are_those_of_the_usage(aws: BaseClient) -> None:
    asked = {"messages": USER, "system": [{"text": "be brief"}]}
    counted = aws.count_tokens(modelId="echo", input={"converse": asked})["inputTokens"]
    assert aws.converse(modelId="echo", **asked)["usage"]["inputTokens"] == counted > 5


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (424, "ModelErrorException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ],
)
def test_errors_are_raised_as_their_kind(aws: BaseClient, status: int, name: str) -> None:
    for ask in (aws.converse, aws.converse_stream):
        with pytest.raises(getattr(aws.exceptions, name)) as found:
            ask(modelId=f"error?status={status}&retry_after=3", messages=USER)
        raised = found.value.response
        assert str(status) in raised["Error"]["Message"]
        assert raised["ResponseMetadata"]["HTTPStatusCode"] == status
        assert raised["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "3"


def test_an_unknown_model_names_those_there_are(aws: BaseClient) -> None:
    with pytest.raises(ClientError, match="`lorem`"):
        aws.converse(modelId="gpt-9", messages=USER)


def test_a_cut_stream_raises(aws: BaseClient) -> None:
    seen: list[str] = []
    stream = aws.converse_stream(modelId="cut?after=3", messages=USER)["stream"]

    def read() -> None:
        seen.extend(kind for event in stream for kind in event)

    with pytest.raises(ProtocolError):
        read()
    assert seen == ["messageStart", *["contentBlockDelta"] * 3]
