"""Amazon Bedrock, by its Converse API and a Bedrock API key.

Source: Amazon Bedrock API reference, "Converse", "ConverseStream", and user guide, "API keys". The
address names the region, so there is none for everybody. Model names and ARNs go into the path,
percent-encoded.
"""

from __future__ import annotations

from llm_edge_agent.providers.spec import BEARER, ProviderSpec

__all__ = ["BEDROCK"]

BEDROCK = ProviderSpec(
    type="bedrock",
    title="Amazon Bedrock",
    base_url_env="AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    key_env="AWS_BEARER_TOKEN_BEDROCK",
    operations={
        "converse": "/model/{model}/converse",
        "converse_stream": "/model/{model}/converse-stream",
    },
    auth=BEARER,
    health_path="/",
)
