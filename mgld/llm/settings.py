"""Where and how requests are sent. Nothing here changes a reply, so nothing here is in a key.

What does change a reply stands in `mgld.llm.request.Parameters`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mgld.schema import Record

Api = Literal["responses", "chat", "chat-json", "chat-text"]
"""How an endpoint is spoken to, the strictest first.

responses: the Responses API with a strict JSON schema. chat: Chat Completions with one. chat-json:
Chat Completions in JSON mode, the schema in the prompt. chat-text: the schema in the prompt only.
Whichever it is, every reply is validated here.
"""
APIS: tuple[Api, ...] = ("responses", "chat", "chat-json", "chat-text")


class LlmSettings(Record):
    """An OpenAI-compatible endpoint, its limits, and what may be spent."""

    base_url: str | None = None
    """E.g. `http://127.0.0.1:8000/v1`; None: OPENAI_BASE_URL, else OpenAI's own."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; the key itself is never written anywhere."""
    api: Api | Literal["auto"] = "auto"
    """auto: the first of the list above that the endpoint accepts, found with the first request."""
    concurrency: int = Field(default=32, ge=1)
    """Requests in flight at most, in one process."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    request_seconds: float = Field(default=120.0, gt=0)
    """A try that has no whole reply by then is given up and made again."""
    total_seconds: float | None = Field(default=None, gt=0)
    """After that no request begins any more; the run can be resumed."""
    max_usd: float | None = Field(default=None, ge=0)
    """The ledger's spending, with what is in flight, never passes this."""
    prices: str | None = None
    """A YAML file like `mgld/llm/prices.yaml`; its models go before the built-in ones."""
    batch: bool = False
    """Through the Batch API: half the price, within a day."""
