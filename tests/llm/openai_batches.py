"""Batches of the loopback endpoint, as the real API runs them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from openai_counts import Counts
from openai_errors import error_body
from openai_faults import BATCH_FAULTS, LINE_FAULTS, REPLY_FAULTS, Rule, Settings
from openai_files import Files
from openai_plays import Asked, BadRequestError, answer, read_body, without_images
from openai_shapes import reply_body

APIS: dict[str, Literal["responses", "chat"]] = {
    "/v1/responses": "responses",
    "/v1/chat/completions": "chat",
}
DONE = frozenset({"failed", "completed", "expired", "cancelled"})
_NOT_RUN = {
    "expired": (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
    "cancelled": (
        "batch_cancelled",
        "This request was not executed because the batch was cancelled.",
    ),
}


@dataclass
class Line:
    """One request of a batch."""

    custom_id: str
    asked: Asked | None
    error: dict[str, Any] | None


@dataclass
class Batch:
    """A batch; `shown` is what the API shows of it."""

    shown: dict[str, Any]
    born: float
    polls: int = 0
    tokens: int = 0
    lines: list[Line] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Batches:
    """All batches, each run by a task of its own."""

    def __init__(self, files: Files, counts: Counts, settings: Settings) -> None:
        self.files = files
        self.counts = counts
        self.settings = settings
        self.all: dict[str, Batch] = {}
        self._inputs: dict[str, int] = {}
        self._numbers = itertools.count(1)

    def create(self, endpoint: str, input_file_id: str, metadata: dict[str, str] | None) -> Batch:
        """A new batch in status "validating"; its task goes on from there."""
        identity = f"batch_{next(self._numbers):08d}"
        now = int(time.time())
        shown: dict[str, Any] = {
            "id": identity,
            "object": "batch",
            "endpoint": endpoint,
            "errors": None,
            "input_file_id": input_file_id,
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now,
            "in_progress_at": None,
            "expires_at": now + 86_400,
            "finalizing_at": None,
            "completed_at": None,
            "failed_at": None,
            "expired_at": None,
            "cancelling_at": None,
            "cancelled_at": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": metadata,
        }
        batch = Batch(shown, time.monotonic())
        self.all[identity] = batch
        self.counts.batches_created += 1
        batch.task = asyncio.get_running_loop().create_task(self._live(batch))
        return batch

    def poll(self, identity: str) -> dict[str, Any]:
        """Retrieve a batch (KeyError): one of the polls after which it completes."""
        batch = self.all[identity]
        batch.polls += 1
        batch.changed.set()
        return batch.shown

    def cancel(self, identity: str) -> dict[str, Any]:
        """Ask for a batch to be cancelled (KeyError)."""
        batch = self.all[identity]
        if batch.shown["status"] not in DONE:
            _move(batch, "cancelling")
            batch.changed.set()
        return batch.shown

    def page(self, after: str | None, limit: int) -> dict[str, Any]:
        """A page of the list, newest first, without batches younger than the lag."""
        now = time.monotonic()
        shown = [
            batch.shown
            for batch in reversed(self.all.values())
            if now - batch.born >= self.settings.list_lag
        ]
        if after is not None:
            places = [n for n, each in enumerate(shown) if each["id"] == after]
            shown = shown[places[0] + 1 :] if places else []
        page = shown[:limit]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(shown) > limit,
        }

    async def _live(self, batch: Batch) -> None:
        """From validation to the end."""
        content = self.files.content(batch.shown["input_file_id"])
        digest = hashlib.sha256(content).hexdigest()
        nth = self._inputs.get(digest, 0)
        self._inputs[digest] = nth + 1
        fate = self.settings.fault(BATCH_FAULTS, "batch", digest, "", nth)
        if fate is not None:
            self.counts.faults[fate.fault] += 1
        errors = await self._validate(batch, content)
        if fate is not None and fate.fault == "failed_validation":
            errors = [_invalid("invalid_json_line", "This line is not parseable as valid JSON.", 1)]
        if errors:
            batch.shown["errors"] = {"object": "list", "data": errors}
            _move(batch, "failed")
            return
        if batch.shown["status"] == "validating":
            _move(batch, "in_progress")
        while batch.shown["status"] == "in_progress":
            batch.changed.clear()
            left = self.settings.batch_seconds - (time.monotonic() - batch.born)
            if left <= 0 and batch.polls >= self.settings.batch_polls:
                break
            try:
                await asyncio.wait_for(batch.changed.wait(), left if left > 0 else None)
            except TimeoutError:
                continue
        await self._run(batch, fate)

    async def _validate(self, batch: Batch, content: bytes) -> list[dict[str, Any]]:
        """Read the input file into `batch.lines`; what is wrong with it."""
        errors: list[dict[str, Any]] = []
        endpoint = batch.shown["endpoint"]
        ids: set[str] = set()
        models: set[str] = set()
        for number, raw in enumerate(io.BytesIO(content), 1):
            if number % 50 == 0:
                await asyncio.sleep(0)
            refused = None
            try:
                try:
                    head = json.loads(without_images(raw))
                except BadRequestError as error:
                    refused, head = error, json.loads(raw)
                custom_id, url, method = head["custom_id"], head["url"], head["method"]
                body = {**head["body"]}
            except (ValueError, KeyError, TypeError):
                errors.append(_invalid("invalid_json_line", "This line is not valid.", number))
                continue
            if url != endpoint or method != "POST":
                errors.append(_invalid("invalid_url", "url does not match endpoint.", number))
            if custom_id in ids:
                errors.append(_invalid("duplicate_custom_id", "custom_id is not unique.", number))
            ids.add(custom_id)
            try:
                if refused is not None:
                    raise refused
                asked = read_body(APIS[endpoint], body)
            except BadRequestError as error:
                batch.lines.append(Line(custom_id, None, error.error))
                continue
            models.add(asked.model)
            batch.tokens += asked.input_tokens
            batch.lines.append(Line(custom_id, asked, None))
        if not ids:
            errors.append(_invalid("empty_file", "The file is empty.", None))
        if len(models) > 1:
            errors.append(_invalid("mismatched_model", "All requests need the same model.", None))
        if len(ids) > self.settings.max_batch_requests:
            errors.append(_invalid("max_requests_exceeded", "Too many requests.", None))
        limit = self.settings.enqueued_token_limit
        waiting = sum(b.tokens for b in self.all.values() if b.shown["status"] not in DONE)
        if limit is not None and waiting > limit:
            message = (
                f"Enqueued token limit reached for {'/'.join(models)} in organization org-loopback."
                f" Limit: {limit:,} enqueued tokens. Please try again once some in_progress"
                " batches have been completed."
            )
            errors.append(_invalid("token_limit_exceeded", message, None))
        batch.shown["request_counts"]["total"] = len(batch.lines)
        return errors

    async def _run(self, batch: Batch, fate: Rule | None) -> None:
        """Run the lines, write the two files, and end."""
        end = {"cancelling": "cancelled", "in_progress": "completed"}[batch.shown["status"]]
        lines = list(batch.lines)
        if self.settings.shuffle:
            random.Random(len(lines)).shuffle(lines)
        will_run = len(lines) if end == "completed" else 0
        if fate is not None and fate.fault in ("expired", "cancelled"):
            end = fate.fault
            will_run = round(len(lines) * fate.more.get("done", 0.5))
        output: list[bytes] = []
        errors: list[bytes] = []
        counts = batch.shown["request_counts"]
        for number, line in enumerate(lines):
            if number % 50 == 49:
                await asyncio.sleep(0)
                if batch.shown["status"] == "cancelling" and end == "completed":
                    end, will_run = "cancelled", number
            if number >= will_run:
                code, message = _NOT_RUN[end]
                row = _row(line, None, {"code": code, "message": message})
                errors.append(row)
                counts["failed"] += 1
                continue
            status, body = self._run_line(line)
            if status == 200:
                output.append(_row(line, (status, body), None))
                counts["completed"] += 1
            elif status:
                errors.append(_row(line, (status, body), None))
                counts["failed"] += 1
        if end == "completed":
            _move(batch, "finalizing")
        for name, rows in (("output", output), ("error", errors)):
            if rows:
                filename = f"{batch.shown['id']}_{name}.jsonl"
                file = self.files.add(b"".join(rows), filename, "batch_output")
                batch.shown[f"{name}_file_id"] = file["id"]
        batch.lines = []
        _move(batch, end)

    def _run_line(self, line: Line) -> tuple[int, dict[str, Any]]:
        """Status and body of one request; status 0: it is in no file."""
        if line.asked is None:
            return 400, {"error": line.error}
        asked = line.asked
        key = f"batch:{asked.content}"
        nth = self.counts.tries[key]
        self.counts.tries[key] += 1
        fault = self.settings.fault(LINE_FAULTS, "batch", asked.content, asked.text, nth)
        billed = fault is None or fault.more.get("billed", False)
        play = self.settings.fault(REPLY_FAULTS, "batch", asked.content, asked.text, nth)
        reply = answer(asked, play.fault if play else None)  # type: ignore[arg-type]
        if billed:
            self.counts.bill_batched(
                asked.content, line.custom_id, asked.input_tokens, reply.output_tokens
            )
        for each in (fault, play):
            if each is not None:
                self.counts.faults[each.fault] += 1
        if fault is None:
            return 200, reply_body(asked, reply)
        if fault.fault == "line_missing":
            return 0, {}
        status = fault.more.get("status", 500)
        if status == 400:
            return 400, error_body("Invalid image.", "invalid_request_error", code="invalid_image")
        return status, error_body("The server had an error.", "server_error")


def _row(
    line: Line, response: tuple[int, dict[str, Any]] | None, error: dict[str, str] | None
) -> bytes:
    identity = hashlib.sha256(line.custom_id.encode()).hexdigest()[:24]
    row = {
        "id": f"batch_req_{identity}",
        "custom_id": line.custom_id,
        "response": response
        and {"status_code": response[0], "request_id": f"req_{identity}", "body": response[1]},
        "error": error,
    }
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _invalid(code: str, message: str, line: int | None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None, "line": line}


def _move(batch: Batch, status: str) -> None:
    batch.shown["status"] = status
    batch.shown[f"{status}_at"] = int(time.time())
