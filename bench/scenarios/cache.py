"""How often the exact cache answers on a repetitive workload."""

import http.client
import itertools
import random

from bench import messages
from bench.messages import body
from bench.programs import MODELS, BenchError
from bench.scenarios import Found, Stage
from bench.verdicts import Row

PROMPTS = 1000
REQUESTS = 10_000
EXPONENT = 1.0
SEED = 1


def zipf(stage: Stage) -> Found:
    """Requests drawn by Zipf's law over a thousand prompts, from an empty cache."""
    weights = list(itertools.accumulate(1 / rank**EXPONENT for rank in range(1, PROMPTS + 1)))
    drawn = random.Random(SEED).choices(range(PROMPTS), cum_weights=weights, k=REQUESTS)
    bodies = [
        body(f"{MODELS[1]}/unary-1024", 1024, text=f"zipf {prompt}") for prompt in range(PROMPTS)
    ]
    connection = http.client.HTTPConnection("127.0.0.1", stage.gateway.port, timeout=10)
    hits = 0
    for prompt in drawn:
        connection.request("POST", messages.PATH, body=bodies[prompt], headers=messages.headers())
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise BenchError(f"status {answer.status} from the cached route")
        hits += answer.headers.get("x-llm-edge-cache") == "hit"
    connection.close()
    share = 100 * hits / REQUESTS
    note = f"{REQUESTS} requests, exponent {EXPONENT:g}, {len(set(drawn))} prompts drawn"
    details = {"hits": hits, "requests": REQUESTS, "prompts": PROMPTS, "exponent": EXPONENT}
    return Found([Row("cache_hits_zipf", share, note)], {"cache_hits_zipf": details})
