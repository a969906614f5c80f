"""Requests for tests of `gather`; as a script (URL LEDGER N), a process that asks them."""

from __future__ import annotations

import io
import json
import sys
from functools import cache

from PIL import Image as PillowImage

from mgld.llm import Image, Ledger, LlmSettings, OutputSchema, Request
from mgld.llm.online import gather

SCHEMA = OutputSchema(
    name="qa",
    json_schema={
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    },
)


@cache
def picture(number: int) -> bytes:
    out = io.BytesIO()
    PillowImage.new("RGB", (48, 32), (number % 256, 90, 120)).save(out, "JPEG")
    return out.getvalue()


def request(number: int, *, with_image: bool = False, model: str = "gpt-4.1") -> Request:
    image = Image(f"{number:064x}", lambda: picture(number)) if with_image else None
    return Request(
        purpose="qa",
        subject=str(number),
        model=model,
        prompt_version="qa-1",
        instructions="You describe landmarks.",
        text=f"What is this? The name is: Tower {number}.",
        image=image,
        schema=SCHEMA,
    )


def main(url: str, ledger_file: str, number: int) -> None:
    settings = LlmSettings(base_url=url, concurrency=8, api="responses", max_usd=1000)
    with Ledger(ledger_file) as ledger:
        done = gather((request(each) for each in range(number)), ledger, settings)
    print(json.dumps(done.model_dump()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
