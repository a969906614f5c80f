"""The routes of the loopback endpoint."""

from __future__ import annotations

import json
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from openai_batches import APIS, Batches
from openai_counts import Counts
from openai_errors import error_body, failure, not_found, wrong_key
from openai_faults import CREATE_FAULTS, HTTP_FAULTS, REPLY_FAULTS, Rule, Settings
from openai_files import Files
from openai_http import Connection, HttpRequest, read_multipart
from openai_plays import Asked, BadRequestError, answer, read_request
from openai_shapes import CREATED, reply_bytes

MODELS = {"gpt-4o": None, "gpt-4o-mini": None, "test-model": None}


class Endpoint:
    """State and routes of one server."""

    def __init__(self, settings: dict[str, Any], state: Path) -> None:
        self.settings = Settings.read(settings)
        self.counts = Counts()
        self.files = Files(state)
        self._free = 0.0
        self.batches = Batches(self.files, self.counts, self.settings)

    def handle(self, request: HttpRequest, to: Connection) -> None:
        """Answer `request`, now or later."""
        try:
            if request.path == "/v1/responses" and request.method == "POST":
                self._online("responses", request, to)
            elif request.path == "/v1/chat/completions" and request.method == "POST":
                self._online("chat", request, to)
            elif request.path.startswith("/control"):
                self._control(request, to)
            else:
                self._other(request, to)
        except BadRequestError as error:
            self._send(to, APIS.get(request.path, request.path), 400, {"error": error.error})
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            # A body of a shape that nothing here expects; 400, so that no client tries again.
            traceback.print_exc()
            message = f"The loopback server cannot read this: {error!r}"
            self._send(to, request.path, 400, error_body(message, "invalid_request_error"))

    def _online(self, route: str, request: HttpRequest, to: Connection) -> None:
        """Responses and Chat Completions."""
        if self._barred(route, request, to):
            return
        asked = read_request(APIS[request.path], request.body)
        self._check_supported(asked, request.body)
        if asked.model in self.settings.unknown_models:
            message = f"The model `{asked.model}` does not exist or you do not have access to it."
            error = error_body(message, "invalid_request_error", code="model_not_found")
            self._send(to, route, 404, error)
            return
        wait = self._over_limit()
        if wait:
            headers = {"retry-after-ms": str(round(wait * 1000) + 1)}
            message = "Rate limit reached for requests per min (RPM)."
            error = error_body(message, "requests", code="rate_limit_exceeded")
            self._send(to, route, 429, error, headers)
            return
        counts = self.counts
        counts.arrived(asked.input_tokens)
        nth = counts.tries[asked.content]
        counts.tries[asked.content] = nth + 1
        settings = self.settings
        fault = play = None
        if settings.rules:
            fault = settings.fault(HTTP_FAULTS, route, asked.content, asked.text, nth)
            if fault is not None:
                counts.faults[fault.fault] += 1
        failed = fault is not None and failure(fault, _key(request))
        if failed:
            to.loop.call_later(settings.latency, self._fail, to, route, failed)
            return
        if settings.rules:
            play = settings.fault(REPLY_FAULTS, route, asked.content, asked.text, nth)
            if play is not None:
                counts.faults[play.fault] += 1
        reply = answer(asked, play.fault if play else None)  # type: ignore[arg-type]
        body = reply_bytes(asked, reply)
        if fault is None or fault.fault != "drop" or fault.more.get("billed"):
            counts.bill(asked.content, asked.input_tokens, reply.output_tokens)
        seconds = settings.latency
        if fault is not None and fault.fault == "delay":
            seconds += fault.more["seconds"]
        if seconds:
            to.loop.call_later(seconds, self._succeed, to, route, body, fault)
        else:
            self._succeed(to, route, body, fault)

    def _over_limit(self) -> float:
        """Seconds until the endpoint's own rate limit takes another request; 0: now."""
        limit = self.settings.requests_per_minute
        if limit is None:
            return 0.0
        now, each = time.monotonic(), 60.0 / limit
        # A bucket of one second's requests, at least one; `_free` is when it was last empty.
        start = max(self._free, now - max(1.0, each))
        if start + each > now:
            return start + each - now
        self._free = start + each
        return 0.0

    def _succeed(self, to: Connection, route: str, body: bytes, fault: Rule | None) -> None:
        self.counts.in_flight -= 1
        self._deliver(to, route, body, fault)

    def _fail(self, to: Connection, route: str, failed: tuple[int, Any, dict[str, str]]) -> None:
        self.counts.in_flight -= 1
        self._send(to, route, *failed)

    def _deliver(self, to: Connection, route: str, body: bytes, fault: Rule | None) -> None:
        """A 200, whole or as the fault has it."""
        kind = fault.fault if fault is not None else None
        self.counts.answered(route, "drop" if kind == "drop" else 200)
        if kind == "drop":
            to.drop()
        elif kind == "cut":
            to.reply_cut(200, body)
        elif kind == "broken_json":
            to.reply(200, body[: len(body) // 2])
        elif kind == "slow" and fault is not None:
            to.reply_slowly(200, body, fault.more["seconds"])
        else:
            to.reply(200, body)

    def _send(
        self, to: Connection, route: str, status: int, value: Any, headers: Any = None
    ) -> None:
        """JSON (or, of a string, HTML) with any status."""
        self.counts.answered(route, status)
        if isinstance(value, str):
            to.reply(status, value.encode(), content_type="text/html")
        else:
            to.reply_json(status, value, headers)

    def _barred(self, route: str, request: HttpRequest, to: Connection) -> bool:
        """Whether the route is not there, or not for this key; then it is answered."""
        if route in self.settings.unsupported:
            self._send(to, route, 404, {"detail": "Not Found"})
            return True
        if self.settings.api_key is not None and _key(request) != self.settings.api_key:
            self._send(to, route, 401, wrong_key(_key(request)))
            return True
        return False

    def _check_supported(self, asked: Asked, raw: bytes) -> None:
        """BadRequestError where the endpoint does not know a text format, images or a field."""
        unsupported = self.settings.unsupported
        if not unsupported:
            return
        where = "text.format" if asked.api == "responses" else "response_format"
        for name, used in (
            ("json_schema", asked.mode == "schema"),
            ("json_object", asked.mode == "json"),
        ):
            if used and name in unsupported:
                raise BadRequestError(
                    f"Invalid parameter: '{where}' of type '{name}' is not supported with this"
                    " model.",
                    param=where,
                )
        if asked.images and "images" in unsupported:
            raise BadRequestError("This model does not support image inputs.", param="messages")
        for field in unsupported & json.loads(raw).keys():
            raise BadRequestError(
                f"Unsupported parameter: '{field}' is not supported with this model.",
                param=field,
                code="unsupported_parameter",
            )

    def _other(self, request: HttpRequest, to: Connection) -> None:
        """Models, Files and Batches."""
        method = request.method
        kind, *rest = request.path.removeprefix("/v1/").split("/")
        path = (method, kind, len(rest))
        # One name a route, for rules and counts.
        route = {
            ("POST", "files", 0): "files",
            ("GET", "files", 1): "file",
            ("GET", "files", 2): "file_content",
            ("DELETE", "files", 1): "file_delete",
            ("POST", "batches", 0): "batches",
            ("GET", "batches", 0): "batch_list",
            ("GET", "batches", 1): "batch",
            ("POST", "batches", 2): "batch_cancel",
            ("GET", "models", 0): "models",
            ("GET", "models", 1): "model",
        }.get(path)
        if route is None or not request.path.startswith("/v1/"):
            message = f"Invalid URL ({method} {request.path})"
            self._send(to, request.path, 404, error_body(message, "invalid_request_error"))
            return
        if self._barred(kind, request, to):
            return
        fault = self.settings.fault(HTTP_FAULTS, route, request.path, "", 0)
        if fault is not None:
            self.counts.faults[fault.fault] += 1
            failed = failure(fault, _key(request))
            if failed:
                self._send(to, route, *failed)
                return
            if fault.fault == "drop" and not fault.more.get("billed"):
                self._deliver(to, route, b"", fault)
                return
        try:
            body = self._run(route, rest, request, to)
        except KeyError as error:
            self._send(to, route, 404, not_found(f"No such object: {error.args[0]}"))
            return
        if body is not None:
            seconds = fault.more["seconds"] if fault and fault.fault == "delay" else 0
            to.loop.call_later(seconds, partial(self._deliver, to, route, body, fault))

    def _run(
        self, route: str, rest: list[str], request: HttpRequest, to: Connection
    ) -> bytes | None:
        """The body of a 200; None where the reply is sent already; KeyError: no such object."""
        files, batches = self.files, self.batches
        value: Any
        if route == "files":
            parts = read_multipart(request)
            filename, content = parts["file"]
            if len(content) > self.settings.max_file_bytes:
                message = "The file is too large."
                self._send(to, route, 413, error_body(message, "invalid_request_error"))
                return None
            value = files.add(content, filename or "file", parts["purpose"][1].decode())
        elif route == "file":
            value = files.objects[rest[0]]
        elif route == "file_content":
            files.objects[rest[0]]
            return files.content(rest[0])
        elif route == "file_delete":
            files.delete(rest[0])
            value = {"id": rest[0], "object": "file", "deleted": True}
        elif route == "batches":
            return self._create_batch(request, to)
        elif route == "batch_list":
            query = parse_qs(request.query)
            after = query.get("after", [None])[0]
            value = batches.page(after, int(query.get("limit", ["20"])[0]))
        elif route == "batch":
            value = batches.poll(rest[0])
        elif route == "batch_cancel":
            value = batches.cancel(rest[0])
        elif route == "models":
            models = self.settings.models or MODELS
            value = {"object": "list", "data": [_model(*row) for row in models.items()]}
        else:
            if rest[0] in self.settings.unknown_models:
                raise KeyError(rest[0])
            value = _model(rest[0], self.settings.models.get(rest[0]))
        return json.dumps(value, ensure_ascii=False).encode()

    def _create_batch(self, request: HttpRequest, to: Connection) -> bytes | None:
        given = json.loads(request.body)
        if given.get("endpoint") not in APIS or given.get("completion_window") != "24h":
            raise BadRequestError("Invalid endpoint or completion_window.", param="endpoint")
        metadata = given.get("metadata")
        if metadata and (len(metadata) > 16 or any(len(v) > 512 for v in metadata.values())):
            raise BadRequestError("Invalid 'metadata'.", param="metadata")
        file = self.files.objects[given["input_file_id"]]
        if file["purpose"] != "batch":
            raise BadRequestError("The input file's purpose is not 'batch'.", param="input_file_id")
        batch = self.batches.create(given["endpoint"], file["id"], metadata)
        fault = self.settings.fault(CREATE_FAULTS, "batches", batch.shown["id"], "", 0)
        if fault is None:
            return json.dumps(batch.shown).encode()
        self.counts.faults[fault.fault] += 1
        if fault.fault == "create_drop":
            self.counts.answered("batches", "drop")
            to.drop()
        else:
            self._send(to, "batches", 500, error_body("The server had an error.", "server_error"))
        return None

    def _control(self, request: HttpRequest, to: Connection) -> None:
        """What tests steer the server by; not counted."""
        if request.path == "/control/stats":
            whole = "whole=0" not in request.query
            to.reply_json(200, self.counts.whole() if whole else self.counts.summary())
        elif request.path == "/control/reset":
            in_flight = self.counts.in_flight
            self.counts = self.batches.counts = Counts()
            self.counts.in_flight = in_flight
            to.reply_json(200, {})
        else:
            try:
                self.settings = Settings.read(json.loads(request.body))
            except (TypeError, ValueError, KeyError) as error:
                to.reply_json(400, error_body(str(error), "invalid_request_error"))
                return
            self.batches.settings = self.settings
            to.reply_json(200, {})


def _key(request: HttpRequest) -> str:
    bearer = (request.header("authorization") or "").removeprefix("Bearer ").strip()
    return bearer or request.header("api-key") or ""


def _model(identity: str, shutdown_date: str | None) -> dict[str, Any]:
    model = {"id": identity, "object": "model", "created": CREATED, "owned_by": "loopback"}
    return {**model, "shutdown_date": shutdown_date}
