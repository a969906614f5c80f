"""`openai:MODEL`: any OpenAI-compatible endpoint.

Every draw is a request of its own with its own key, so that no cache of ours can make two draws
one. Replies are in the run's ledger before they are answers: nothing is paid twice, and a killed
run takes from it what it had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from mgld.evaluate.models.base import Asked, ModelOptions, OnAnswer
from mgld.evaluate.records import Answer
from mgld.llm.ledger import Ledger, StoredReply
from mgld.llm.online import gather
from mgld.llm.request import Image, Parameters, Request
from mgld.llm.wire import EMPTY_REPLY, read_reply

LEDGER_FILE = "ledger.sqlite"
TAKE_SECONDS = 1.0
"""Replies become answers this often."""


class OpenAiModel:
    """A model behind an endpoint; see `Model`. ValueError: no model is named."""

    def __init__(self, model: str, options: ModelOptions) -> None:
        if not model.strip():
            raise ValueError("which model? write openai:MODEL")
        self._model, self._options = model, options

    @property
    def id(self) -> str:
        """`openai:` and the name that is sent."""
        return f"openai:{self._model}"

    def identity(self) -> dict[str, Any]:
        """Nothing: what an endpoint has behind a name it says, if at all, in each reply."""
        return {}

    def answer(self, asked: Sequence[Asked], on_answer: OnAnswer) -> None:
        """See `Model`; raises `GatherStoppedError` where budget, time or endpoint stop it."""
        # Questions may be the same to the last letter, as those about two landmarks of one name are
        # without their images: one reply is then a draw of each of them.
        waiting: dict[str, list[tuple[Asked, int]]] = {}
        requests: dict[str, Request] = {}
        for each in asked:
            for draw in each.draws:
                request = self._request(each, draw)
                requests[request.key] = request
                waiting.setdefault(request.key, []).append((each, draw))
        path = self._options.ledger or self._options.folder / LEDGER_FILE
        with Ledger(path) as ledger:
            taken = time.monotonic()

            def take() -> None:
                ready = ledger.answered() & waiting.keys()
                for key, reply in ledger.replies(ready).items():
                    for each, draw in waiting.pop(key):
                        on_answer(self._answer(each, draw, reply))

            def on_reply(_: int) -> None:
                nonlocal taken
                if time.monotonic() - taken >= TAKE_SECONDS:
                    take()
                    taken = time.monotonic()

            if self._options.retry_errors:
                _forget_errors(ledger, waiting.keys())
            try:
                gather(list(requests.values()), ledger, self._options.llm, on_reply=on_reply)
            finally:
                take()

    def _request(self, asked: Asked, draw: int) -> Request:
        decoding = asked.decoding
        extra: dict[str, Any] = {}
        if decoding.top_p is not None:
            extra["top_p"] = decoding.top_p
        if self._options.send_seed:
            extra["seed"] = asked.draw_seed(draw)
        return Request(
            purpose="answer",
            subject=asked.question.id,
            model=self._model,
            prompt_version=asked.prompt_version,
            instructions=asked.instructions,
            text=asked.text,
            image=_image(asked.question.image_sha256, asked.read_image),
            parameters=Parameters(
                max_output_tokens=decoding.max_new_tokens,
                temperature=decoding.temperature,
                extra_body=extra,
            ),
            draw=draw,
        )

    def _answer(self, asked: Asked, draw: int, reply: StoredReply) -> Answer:
        said = read_reply(reply.api, reply.http_status, reply.raw)
        # A model that had nothing to say has answered; what failed is another matter.
        silent = said.status == "error" and said.reason.startswith(EMPTY_REPLY)
        details: dict[str, Any] = {
            "model": said.model,
            "input_tokens": said.input_tokens,
            "output_tokens": said.output_tokens,
        }
        if said.truncated or (silent and said.reason != EMPTY_REPLY):
            details["truncated"] = True
        return asked.answer(
            draw,
            said.text,
            model=self.id,
            status="ok" if silent else said.status,
            reason=said.reason,
            seed=asked.draw_seed(draw) if self._options.send_seed else None,
            details=details if said.model or said.output_tokens else None,
        )


def _image(sha256: str, read: Callable[[], bytes] | None) -> Image | None:
    return Image(sha256, read) if read is not None else None


def _forget_errors(ledger: Ledger, keys: Sequence[str] | Any) -> None:
    replies = ledger.replies(keys)
    ledger.forget(
        key
        for key, reply in replies.items()
        if read_reply(reply.api, reply.http_status, reply.raw).status == "error"
    )
