"""Token counts as Python has them, held against OpenAI's tokenizer as others have written it."""

import random
import threading
import warnings

import pytest

from llm_edge_agent.engine import TokenEstimate, count_tokens, estimate_request
from llm_edge_agent.errors import EngineFailed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of how it opens its own files
    import bpe_openai

TEXTS = 10_000
SEED = 20_261_126
# What language, code and JSON are made of, and what splitting trips over.
PIECES = [
    *["the", "of", "house", "however", "don't", "WE'LL", "it's", "na\xefve", "Stra\xdfe"],
    *[
        "CamelCaseWord",
        "HTTPServer",
        "snake_case",
        "\u4f60\u597d",
        "\u65e5\u672c\u8a9e\u30c6\u30b9\u30c8",
    ],
    *[
        "\ud55c\uad6d\uc5b4",
        "\u041f\u0440\u0438\u0432\u0435\u0442",
        "\u05e9\u05dc\u05d5\u05dd",
        "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    ],
    *[
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u0e20\u0e32\u0e29\u0e32",
        "\xbd",
        "\xb2",
        "\u01c5",
        "\u0130",
    ],
    *["\U0001f44d\U0001f3fd", "\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u0663\u0664"],
    *["\u200d", "\u0301", "\u3000", "\xa0", "\u2028", "\x00", "\x1b", "\ufeff", "<|endoftext|>"],
    *["{", "}", "[", "]", '"', ":", ",", ";", "//", "/*", "*/", "=>", "!=", "'", "\u2019", "..."],
    *[" ", " ", " ", "  ", "    ", "\t", "\n", "\n\n", "\r\n", " \n", "\n/", ".\n/", "\u2014"],
    *["0", "7", "42", "1234", "3.14159", "0x7f", "1e-9"],
]
MODELS = {"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}


def text_of(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.6:
        return "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 80)))
    if kind < 0.8:
        return " ".join(
            "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(1, 12)))
            for _ in range(rng.randint(1, 40))
        )
    if kind < 0.9:
        return "".join(chr(rng.randint(1, 0x2FFF)) for _ in range(rng.randint(1, 60)))
    return rng.choice(PIECES) * rng.randint(1, 60)


@pytest.mark.parametrize("encoding", MODELS)
@pytest.mark.timeout(120)
def test_counts_are_those_of_openais_tokenizer(encoding: str) -> None:
    rng = random.Random(SEED)
    reference = bpe_openai.get_encoding(encoding)
    differing = []
    for _ in range(TEXTS):
        text = text_of(rng)
        wanted = (len(reference.encode_ordinary(text)), True)
        if count_tokens(text, MODELS[encoding]) != wanted:
            differing.append((text, wanted))
    assert differing == []


def test_what_is_not_published_is_an_estimate() -> None:
    exact, estimates = ["gpt-5", "openai/gpt-4.1", "Qwen/Qwen3-32B"], ["claude-opus-5", "gemini-3"]
    assert [count_tokens("Hello there", model)[1] for model in exact + estimates] == [
        *[True] * 3,
        *[False] * 2,
    ]
    assert count_tokens("Hello there", "claude-opus-5")[0] > count_tokens("Hello there", "gpt-5")[0]


def test_a_request_is_told_apart_from_its_pictures() -> None:
    body = (
        b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"},'
        b' {"type": "image_url", "image_url": {"url": "data:image/png;base64,' + b"iVBO" * 9999
    )
    body += b'"}}]}]}'
    assert estimate_request(body, "openai_chat", "gpt-4o") == TokenEstimate(
        input=3 + 4 + 4 + 765, exact=False, images=1, audio=0, files=0
    )


def test_nothing_in_a_body_fails_but_an_unknown_dialect_does() -> None:
    assert estimate_request(b"\xff{", "gemini", "gemini-3").input > 0
    with pytest.raises(EngineFailed, match="no dialect is called `openai`"):
        estimate_request(b"{}", "openai", "gpt-5")


def test_others_run_while_a_long_text_is_counted() -> None:
    text = "so it goes, again and again, and nobody knows why. " * 400_000
    count_tokens("", "gpt-4o")
    done = threading.Event()

    def count() -> None:
        count_tokens(text, "gpt-4o")
        done.set()

    thread = threading.Thread(target=count)
    thread.start()
    turns = 0
    while not done.wait(0.001):
        turns += 1
    thread.join()
    assert turns > 3
