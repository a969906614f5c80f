"""A ledger, requests and a server, as the tests of batches use them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai_server import LoopbackServer
from PIL import Image as Picture

from mgld.llm import Image, Ledger, LlmSettings, OutputSchema, Parameters, Request

KEY = "sk-test-abcdefghijklmnop-1234"
MODEL = "gpt-4o-mini"
SCHEMA = OutputSchema(
    name="answer",
    json_schema={
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    },
)


def picture(number: int, side: int = 24) -> bytes:
    out = io.BytesIO()
    Picture.new("RGB", (side, side), (number % 256, 40, 90)).save(out, "JPEG")
    return out.getvalue()


def make_requests(count: int, first: int = 0, **changes: Any) -> list[Request]:
    return [
        Request(
            **{
                "purpose": "qa",
                "subject": str(number),
                "model": MODEL,
                "prompt_version": "qa-1",
                "instructions": "Answer.",
                "text": f"Landmark: Tower {number}",
                "image": Image(f"{number:064x}", lambda number=number: picture(number)),
                "schema": SCHEMA,
                "parameters": Parameters(max_output_tokens=200),
                **changes,
            }
        )
        for number in range(first, first + count)
    ]


@dataclass
class Case:
    """What a test has at hand."""

    server: LoopbackServer
    ledger: Ledger
    path: Path

    def settings(self, **changes: Any) -> LlmSettings:
        return LlmSettings(base_url=self.server.url, batch=True, request_seconds=5.0, **changes)

    def billed(self) -> dict[str, int]:
        """How often each request was run in a batch, by its key."""
        found: dict[str, int] = self.server.stats()["custom_ids"]
        return found

    def states(self) -> list[str]:
        return [state for (state,) in self.ledger.rows("SELECT state FROM batches")]
