"""Requests to OpenAI-compatible endpoints: paid once, resumable, online or batched."""

from __future__ import annotations

from mgld.llm.ledger import Ledger, Money, StoredReply
from mgld.llm.request import Image, OutputSchema, Parameters, Request
from mgld.llm.settings import LlmSettings

__all__ = [
    "Image",
    "Ledger",
    "LlmSettings",
    "Money",
    "OutputSchema",
    "Parameters",
    "Request",
    "StoredReply",
]
