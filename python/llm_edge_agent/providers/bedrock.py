"""Amazon Bedrock, by its Converse API, with a Bedrock API key or requests that are signed.

Source: Amazon Bedrock API reference, "Converse", "ConverseStream", and user guide, "API keys" and
"Amazon Bedrock endpoints". The address names the region, so there is none for everybody. Model
names and ARNs go into the path, percent-encoded.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec

__all__ = ["BEDROCK"]

BEDROCK = ProviderSpec(
    type="bedrock",
    title="Amazon Bedrock",
    verified=date(2026, 11, 23),
    base_url_env="AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    region_url="https://bedrock-runtime.{region}.amazonaws.com",
    signing_name="bedrock",
    key_env="AWS_BEARER_TOKEN_BEDROCK",
    operations={
        "converse": "/model/{model}/converse",
        "converse_stream": "/model/{model}/converse-stream",
        "bedrock_count_tokens": "/model/{model}/count-tokens",
    },
    auth=BEARER,
    health_path="/",
    catalog=("aws",),
)
