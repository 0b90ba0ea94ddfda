"""What providers say when they refuse, in their own words, and what is promised for it.

The words are from the vendors' documents and from errors that people have shown in public; what no
rule looks at is shortened. What follows is in docs/operate/resilience.md.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from tests.support.upstream import reply

__all__ = ["ELSEWHERE", "LATER", "REFUSALS", "RELAYED", "Refusal", "Then"]


class Then(StrEnum):
    """What follows."""

    LATER = "the next target at once, the same one after a pause"
    ELSEWHERE = "another key or target, never the same"
    RELAYED = "it is the reply"


@dataclass(frozen=True)
class Refusal:
    """An error, and what is promised for it.

    Attributes:
        type: The provider's.
        status: Status line behind the version.
        says: The body: JSON, or bytes as they are.
        then: What follows for the request.
        rests: Whether the key is laid to rest.
        fields: Header lines.
    """

    type: str
    status: str
    says: object
    then: Then
    rests: bool = False
    fields: tuple[str, ...] = ()

    @property
    def reply(self) -> bytes:
        """As it comes."""
        says = self.says if isinstance(self.says, bytes) else msgspec.json.encode(self.says)
        return reply(says, self.status, *self.fields)


def openai(kind: str, code: str | None, message: str = "no") -> object:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def claude(kind: str, message: str = "no") -> object:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def google(code: int, status: str, *details: dict[str, object]) -> object:
    return {"error": {"code": code, "message": "no", "status": status, "details": details}}


def quota(per: str) -> dict[str, object]:
    """Which quota of Google's is used up."""
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
        "quotaId": f"GenerateRequestsPer{per}PerProjectPerModel",
        "quotaValue": "50",
    }
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def trial(per: str) -> object:
    """What Cohere tells who uses a key for trying out."""
    return {"message": f"You are using a Trial key, which is limited to 1000 API calls / {per}."}


def retry_in(delay: str) -> dict[str, object]:
    """When Google wants to be asked again."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def why(reason: str) -> dict[str, object]:
    """Google's word for what is the matter."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}


def azure(code: str, message: str, **more: object) -> object:
    return {"error": {"code": code, "message": message, **more}}


def bare(kind: str, code: str | int, message: str) -> object:
    """An error that stands by itself."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def xai(code: str, error: str) -> object:
    return {"code": code, "error": error}


def openrouter(code: int, message: str, **metadata: object) -> object:
    return {"error": {"message": message, "code": code, "metadata": metadata}}


AMAZON = "x-amzn-ErrorType: "
LATER, ELSEWHERE, RELAYED = Then
REFUSALS = {
    "openai-rate": Refusal(
        "openai", "429 No", openai("requests", "rate_limit_exceeded"), LATER, rests=True
    ),
    "openai-quota": Refusal(
        "openai",
        "429 No",
        openai("insufficient_quota", "insufficient_quota"),
        ELSEWHERE,
        rests=True,
    ),
    "openai-key": Refusal(
        "openai",
        "401 No",
        openai("invalid_request_error", "invalid_api_key"),
        ELSEWHERE,
        rests=True,
    ),
    "openai-slow-down": Refusal("openai", "503 No", openai("server_error", "slow_down"), LATER),
    "openai-failed": Refusal("openai", "500 No", openai("server_error", None), RELAYED),
    "anthropic-rate": Refusal("anthropic", "429 No", claude("rate_limit_error"), LATER, rests=True),
    "anthropic-cap": Refusal(
        "anthropic",
        "429 No",
        claude("rate_limit_error", "enforced_spend_limit_reached"),
        ELSEWHERE,
        rests=True,
    ),
    "anthropic-overloaded": Refusal("anthropic", "529 No", claude("overloaded_error"), LATER),
    "anthropic-key": Refusal(
        "anthropic", "401 No", claude("authentication_error"), ELSEWHERE, rests=True
    ),
    "anthropic-billing": Refusal(
        "anthropic", "402 No", claude("billing_error"), ELSEWHERE, rests=True
    ),
    "anthropic-failed": Refusal("anthropic", "500 No", claude("api_error"), RELAYED),
    "gemini-minute": Refusal(
        "gemini", "429 No", google(429, "RESOURCE_EXHAUSTED", quota("Minute")), LATER, rests=True
    ),
    "gemini-day": Refusal(
        "gemini", "429 No", google(429, "RESOURCE_EXHAUSTED", quota("Day")), ELSEWHERE, rests=True
    ),
    "gemini-overloaded": Refusal("gemini", "503 No", google(503, "UNAVAILABLE"), LATER),
    "gemini-denied": Refusal(
        "gemini", "403 No", google(403, "PERMISSION_DENIED"), ELSEWHERE, rests=True
    ),
    "gemini-key": Refusal(
        "gemini",
        "400 No",
        google(
            400,
            "INVALID_ARGUMENT",
            why("API_KEY_INVALID"),
        ),
        ELSEWHERE,
        rests=True,
    ),
    "gemini-argument": Refusal("gemini", "400 No", google(400, "INVALID_ARGUMENT"), RELAYED),
    "bedrock-throttled": Refusal(
        "bedrock",
        "429 No",
        {"message": "Too many requests, please wait before trying again."},
        LATER,
        rests=True,
        fields=(f"{AMAZON}ThrottlingException",),
    ),
    "bedrock-denied": Refusal(
        "bedrock",
        "403 No",
        {"message": "You don't have access to the model with the specified model ID."},
        ELSEWHERE,
        rests=True,
        fields=(f"{AMAZON}AccessDeniedException",),
    ),
    "bedrock-unavailable": Refusal(
        "bedrock",
        "503 No",
        {"message": "no"},
        LATER,
        fields=(f"{AMAZON}ServiceUnavailableException",),
    ),
    "bedrock-model-failed": Refusal(
        "bedrock", "424 No", {"message": "no"}, RELAYED, fields=(f"{AMAZON}ModelErrorException",)
    ),
    "cohere-minute": Refusal("cohere", "429 No", trial("minute"), LATER, rests=True),
    "cohere-month": Refusal("cohere", "429 No", trial("month"), ELSEWHERE, rests=True),
    "cohere-key": Refusal(
        "cohere", "401 No", {"message": "invalid api token"}, ELSEWHERE, rests=True
    ),
    "cohere-failed": Refusal("cohere", "500 No", {"message": "internal server error"}, RELAYED),
    "ollama-busy": Refusal(
        "ollama",
        "503 No",
        {"error": "server busy, please try again.  maximum pending requests exceeded"},
        LATER,
    ),
    "ollama-key": Refusal("ollama", "401 No", {"error": "unauthorized"}, ELSEWHERE, rests=True),
    "ollama-no-model": Refusal("ollama", "404 No", {"error": "model 'm' not found"}, RELAYED),
    "openai-echo": Refusal(
        "openai",
        "400 No",
        openai("invalid_request_error", "invalid_value", 'Invalid value: "API_KEY_INVALID".'),
        RELAYED,
    ),
    "anthropic-credits": Refusal(
        "anthropic",
        "400 No",
        claude("invalid_request_error", "Your credit balance is too low to access the API."),
        ELSEWHERE,
        rests=True,
    ),
    "anthropic-shut": Refusal(
        "anthropic",
        "400 No",
        claude("invalid_request_error", "This organization has been disabled."),
        ELSEWHERE,
        rests=True,
    ),
    # OpenRouter's, where it is asked in Anthropic's way.
    "anthropic-guardrail": Refusal(
        "anthropic",
        "403 No",
        claude("permission_error", "Request blocked: prompt injection patterns detected"),
        RELAYED,
    ),
    "anthropic-denied": Refusal(
        "anthropic", "403 No", claude("permission_error"), ELSEWHERE, rests=True
    ),
    "anthropic-long": Refusal(
        "anthropic", "400 No", claude("invalid_request_error", "prompt is too long"), RELAYED
    ),
    "gemini-wait": Refusal(
        "gemini",
        "429 No",
        google(429, "RESOURCE_EXHAUSTED", quota("Minute"), retry_in("39.5s")),
        ELSEWHERE,
        rests=True,
    ),
    "gemini-soon": Refusal(
        "gemini",
        "429 No",
        google(429, "RESOURCE_EXHAUSTED", quota("Minute"), retry_in("0.9s")),
        LATER,
        rests=True,
    ),
    "vertex-busy": Refusal(
        "vertex", "429 No", google(429, "RESOURCE_EXHAUSTED"), LATER, rests=True
    ),
    "vertex-wait": Refusal(
        "vertex",
        "429 No",
        google(429, "RESOURCE_EXHAUSTED", retry_in("39s")),
        ELSEWHERE,
        rests=True,
    ),
    "vertex-overloaded": Refusal(
        "vertex", "503 No", google(503, "UNAVAILABLE", retry_in("0s")), LATER
    ),
    "vertex-token": Refusal(
        "vertex",
        "401 No",
        google(401, "UNAUTHENTICATED", why("ACCESS_TOKEN_EXPIRED")),
        ELSEWHERE,
        rests=True,
    ),
    "vertex-denied": Refusal(
        "vertex",
        "403 No",
        google(403, "PERMISSION_DENIED", why("IAM_PERMISSION_DENIED")),
        ELSEWHERE,
        rests=True,
    ),
    "vertex-no-model": Refusal("vertex", "404 No", google(404, "NOT_FOUND"), RELAYED),
    "vertex-claude-quota": Refusal(
        "vertex_anthropic", "429 No", google(429, "RESOURCE_EXHAUSTED"), LATER, rests=True
    ),
    "vertex-claude-overloaded": Refusal(
        "vertex_anthropic", "529 No", claude("overloaded_error"), LATER
    ),
    "vertex-open-wait": Refusal(
        "vertex_openai",
        "429 No",
        [google(429, "RESOURCE_EXHAUSTED", retry_in("39s"))],
        ELSEWHERE,
        rests=True,
    ),
    "vertex-open-denied": Refusal(
        "vertex_openai",
        "403 No",
        [google(403, "PERMISSION_DENIED", why("IAM_PERMISSION_DENIED"))],
        ELSEWHERE,
        rests=True,
    ),
    "azure-rate": Refusal(
        "azure_openai",
        "429 No",
        azure("429", "Requests have exceeded token rate limit. Please retry after 7 seconds."),
        LATER,
        rests=True,
    ),
    "azure-day": Refusal(
        "azure_openai",
        "429 No",
        azure("429", "Requests have exceeded call rate limit. Please retry after 86400 seconds."),
        ELSEWHERE,
        rests=True,
        fields=("Retry-After: 86400",),
    ),
    "azure-busy": Refusal(
        "azure_openai",
        "429 No",
        azure("NoCapacity", "The system is currently experiencing high demand."),
        LATER,
        rests=True,
    ),
    "azure-key": Refusal(
        "azure_openai",
        "401 No",
        azure("401", "Access denied due to invalid subscription key or wrong API endpoint."),
        ELSEWHERE,
        rests=True,
    ),
    "azure-filter": Refusal(
        "azure_openai",
        "400 No",
        azure(
            "content_filter",
            "The response was filtered due to the prompt triggering the content policy.",
            innererror={
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
            },
        ),
        RELAYED,
    ),
    "azure-no-model": Refusal(
        "azure_openai",
        "404 No",
        azure("DeploymentNotFound", "The API deployment for this resource does not exist."),
        RELAYED,
    ),
    "mistral-rate": Refusal(
        "mistral", "429 No", bare("rate_limited", "1300", "Rate limit exceeded"), LATER, rests=True
    ),
    "mistral-busy": Refusal(
        "mistral",
        "503 No",
        bare("service_tier_capacity_exceeded", "3505", "Service tier capacity exceeded"),
        LATER,
    ),
    "mistral-key": Refusal("mistral", "401 No", {"detail": "Unauthorized"}, ELSEWHERE, rests=True),
    "mistral-no-model": Refusal(
        "mistral", "400 No", bare("invalid_model", "1500", "Invalid model: m"), RELAYED
    ),
    "mistral-member": Refusal(
        "mistral",
        "422 No",
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "no"}]},
        RELAYED,
    ),
    "groq-rate": Refusal(
        "groq",
        "429 No",
        openai("tokens", "rate_limit_exceeded", "Rate limit reached: tokens per minute (TPM)"),
        LATER,
        rests=True,
    ),
    "groq-day": Refusal(
        "groq",
        "429 No",
        openai("tokens", "rate_limit_exceeded", "Rate limit reached: tokens per day (TPD)"),
        ELSEWHERE,
        rests=True,
        fields=("Retry-After: 578",),
    ),
    "groq-large": Refusal(
        "groq",
        "413 No",
        openai("tokens", "rate_limit_exceeded", "Request too large: Limit 6000, Requested 6294"),
        ELSEWHERE,
    ),
    "groq-flex": Refusal(
        "groq", "498 No", openai("flex_tier", "capacity_exceeded", "Flex tier is full"), LATER
    ),
    "groq-busy": Refusal(
        "groq", "503 No", openai("internal_server_error", None, "m is over capacity"), LATER
    ),
    "groq-key": Refusal(
        "groq",
        "401 No",
        openai("invalid_request_error", "invalid_api_key", "Invalid API Key"),
        ELSEWHERE,
        rests=True,
    ),
    "groq-shut": Refusal(
        "groq",
        "400 No",
        openai("invalid_request_error", "organization_restricted", "has been restricted"),
        ELSEWHERE,
        rests=True,
    ),
    "groq-body": Refusal("groq", "413 No", openai("invalid_request_error", None), RELAYED),
    "deepseek-balance": Refusal(
        "deepseek",
        "402 No",
        openai("unknown_error", "invalid_request_error", "Insufficient Balance"),
        ELSEWHERE,
        rests=True,
    ),
    "deepseek-key": Refusal(
        "deepseek",
        "401 No",
        openai("authentication_error", "invalid_request_error", "Authentication Fails"),
        ELSEWHERE,
        rests=True,
    ),
    "deepseek-rate": Refusal(
        "deepseek", "429 No", openai("rate_limit_error", None), LATER, rests=True
    ),
    "deepseek-busy": Refusal(
        "deepseek",
        "503 No",
        openai("service_unavailable_error", "service_unavailable_error", "Service is too busy"),
        LATER,
    ),
    "deepseek-member": Refusal(
        "deepseek",
        "422 No",
        openai("invalid_request_error", "invalid_request_error", "Failed to deserialize"),
        RELAYED,
    ),
    "xai-rate": Refusal(
        "xai",
        "429 No",
        xai("Some resource has been exhausted", "Too many requests for team 0 and model m."),
        LATER,
        rests=True,
    ),
    "xai-credits": Refusal(
        "xai",
        "429 No",
        xai(
            "Some resource has been exhausted",
            "Your team 0 has either used all available credits or reached its monthly limit.",
        ),
        ELSEWHERE,
        rests=True,
    ),
    "xai-key": Refusal(
        "xai",
        "400 No",
        xai("Client specified an invalid argument", "Incorrect API key provided: sk***YA."),
        ELSEWHERE,
        rests=True,
    ),
    "xai-argument": Refusal(
        "xai",
        "400 No",
        xai("Client specified an invalid argument", "Unknown role: Incorrect API key provided"),
        RELAYED,
    ),
    "xai-denied": Refusal(
        "xai",
        "403 No",
        xai("permission-denied", "Access to the chat endpoint is denied."),
        ELSEWHERE,
        rests=True,
    ),
    "xai-guidelines": Refusal(
        "xai",
        "403 No",
        xai(
            "The caller does not have permission to execute the specified operation",
            "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
        ),
        RELAYED,
    ),
    "xai-no-model": Refusal(
        "xai",
        "404 No",
        xai("Some requested entity was not found", "The model m does not exist."),
        RELAYED,
    ),
    "together-rate": Refusal(
        "together",
        "429 No",
        openai("model_rate_limit", None, "You have reached the rate limit specific to this model"),
        LATER,
        rests=True,
    ),
    "together-busy": Refusal(
        "together",
        "503 No",
        openai("service_unavailable", None, "The server is overloaded or not ready yet."),
        LATER,
    ),
    "together-credits": Refusal(
        "together",
        "402 No",
        openai("credit_limit", None, "Credit limit exceeded."),
        ELSEWHERE,
        rests=True,
    ),
    "together-key": Refusal(
        "together",
        "401 No",
        openai("invalid_request_error", "invalid_api_key", "Invalid API key provided."),
        ELSEWHERE,
        rests=True,
    ),
    "together-long": Refusal(
        "together",
        "403 No",
        openai(
            "invalid_request_error",
            None,
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097.",
        ),
        RELAYED,
    ),
    "together-no-model": Refusal(
        "together",
        "404 No",
        openai("invalid_request_error", "model_not_available", "Unable to access model m."),
        RELAYED,
    ),
    "fireworks-rate": Refusal(
        "fireworks",
        "429 No",
        {"error": "Too Many Requests", "message": "You have exceeded your usage limits."},
        LATER,
        rests=True,
    ),
    "fireworks-shut": Refusal(
        "fireworks",
        "412 No",
        openai(
            "error",
            "PRECONDITION_FAILED",
            "Account a is suspended, possibly due to reaching the monthly spending limit.",
        ),
        ELSEWHERE,
        rests=True,
    ),
    "fireworks-adapter": Refusal(
        "fireworks",
        "412 No",
        openai("error", "PRECONDITION_FAILED", "The LoRA adapter failed to load."),
        RELAYED,
    ),
    "fireworks-key": Refusal(
        "fireworks",
        "401 No",
        openai("error", "UNAUTHORIZED", "The API key you provided is invalid."),
        ELSEWHERE,
        rests=True,
    ),
    "fireworks-busy": Refusal("fireworks", "503 No", openai("error", "OVERLOADED"), LATER),
    "fireworks-no-model": Refusal(
        "fireworks",
        "404 No",
        openai("error", "NOT_FOUND", "Model not found, inaccessible, and/or not deployed"),
        RELAYED,
    ),
    "openrouter-credits": Refusal(
        "openrouter",
        "402 No",
        openrouter(402, "This request requires more credits, or fewer max_tokens."),
        ELSEWHERE,
        rests=True,
    ),
    "openrouter-rate": Refusal(
        "openrouter",
        "429 No",
        openrouter(
            429,
            "Provider returned error",
            raw="m is temporarily rate-limited upstream. Please retry shortly.",
            limit_source="upstream_provider_shared_pool",
        ),
        LATER,
        rests=True,
    ),
    "openrouter-day": Refusal(
        "openrouter",
        "429 No",
        openrouter(
            429,
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 a day",
            headers={"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0"},
        ),
        ELSEWHERE,
        rests=True,
    ),
    "openrouter-key": Refusal(
        "openrouter", "401 No", openrouter(401, "User not found."), ELSEWHERE, rests=True
    ),
    "openrouter-key-limit": Refusal(
        "openrouter", "403 No", openrouter(403, "Key limit exceeded."), ELSEWHERE, rests=True
    ),
    "openrouter-moderation": Refusal(
        "openrouter",
        "403 No",
        openrouter(
            403,
            "m requires moderation. Your input was flagged.",
            reasons=["violence"],
            flagged_input="hello",
            provider_name="P",
            model_slug="m",
        ),
        RELAYED,
    ),
    "openrouter-guardrail": Refusal(
        "openrouter",
        "403 No",
        openrouter(403, "Request blocked: prompt injection patterns detected"),
        RELAYED,
    ),
    "openrouter-failed": Refusal(
        "openrouter", "502 No", openrouter(502, "Provider returned error", raw="no"), RELAYED
    ),
    "openrouter-nobody": Refusal(
        "openrouter", "503 No", openrouter(503, "There is no available model provider."), LATER
    ),
    "perplexity-rate": Refusal(
        "perplexity",
        "429 No",
        openai("rate_limit_exceeded", None, "Request rate limit exceeded, please try again."),
        LATER,
        rests=True,
    ),
    "perplexity-quota": Refusal(
        "perplexity",
        "401 No",
        openai("insufficient_quota", "401", "You exceeded your current quota."),
        ELSEWHERE,
        rests=True,
    ),
    "perplexity-key": Refusal(
        "perplexity",
        "401 No",
        b"<html>\r\n<head><title>401 Authorization Required</title></head>\r\n</html>\r\n",
        ELSEWHERE,
        rests=True,
    ),
    "perplexity-no-model": Refusal(
        "perplexity",
        "400 No",
        openai("invalid_model", "400", "Invalid model 'm'."),
        RELAYED,
    ),
    "vllm-scaling": Refusal(
        "vllm", "503 No", {"error": "The model is currently scaling. Please try again."}, LATER
    ),
    "vllm-key": Refusal("vllm", "401 No", {"error": "Unauthorized"}, ELSEWHERE, rests=True),
    "vllm-long": Refusal(
        "vllm",
        "400 No",
        bare("BadRequestError", 400, "This model's maximum context length is 8192 tokens."),
        RELAYED,
    ),
    "vllm-no-model": Refusal(
        "vllm", "404 No", bare("NotFoundError", 404, "The model `m` does not exist."), RELAYED
    ),
    "vllm-no-path": Refusal("vllm", "404 No", {"detail": "Not Found"}, RELAYED),
}
