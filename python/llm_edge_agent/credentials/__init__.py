"""Credentials that are not written down but found, and may expire: where, and their renewal."""

from llm_edge_agent.credentials.aws import AwsChain, access_key
from llm_edge_agent.credentials.azure import AzureTokens
from llm_edge_agent.credentials.found import Found, NotFound, Source, fault_of
from llm_edge_agent.credentials.google import GoogleTokens
from llm_edge_agent.credentials.renewer import Renewal, Renewer

__all__ = [
    "AwsChain",
    "AzureTokens",
    "Found",
    "GoogleTokens",
    "NotFound",
    "Renewal",
    "Renewer",
    "Source",
    "access_key",
    "fault_of",
]
