"""Requests sent one by one, many at a time, each written down before it goes out.

`gather` is one asyncio loop of `concurrency` workers. A worker takes a request, waits for its turn
(limits, 429), has its intent committed, sends it, and has the reply committed while it goes on to
the next. What fails for a passing reason is tried again; what fails for good is a stored error
reply; only an endpoint that answers nobody, a spent budget or a deadline stops the run.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

from mgld.llm.client import (
    HttpReply,
    NoReplyError,
    base_url,
    open_session,
    post,
    redact,
    without_key,
)
from mgld.llm.commits import Commits
from mgld.llm.errors import BudgetError, DeadlineError, EndpointError, GatherStoppedError
from mgld.llm.estimate import estimate, upper_bound_usd
from mgld.llm.images import data_url
from mgld.llm.ledger import Claim, Ledger, Release, Settle, StoredReply
from mgld.llm.limits import Pace, Throttle, backoff
from mgld.llm.outcome import Outcome, outcome_of
from mgld.llm.prices import Price, cost_usd, find_price
from mgld.llm.request import Request
from mgld.llm.settings import APIS, Api, LlmSettings
from mgld.llm.wire import PATHS, Reply, body, read_reply
from mgld.schema import Record

TRIES = 6
"""A request that failed so often for passing reasons becomes an error reply."""
TRIES_TOO_MANY = 30
"""The same for 429, which says more of the moment than of the request."""
HOPELESS = 20
"""So many refused requests in a row and no answer: the call is wrong, not the requests."""
AWAY = 3
"""So many requests in a row that failed too often, and no answer: the endpoint is away."""
LOOK_AGAIN = 0.5
"""Seconds between two looks at requests that another process has."""
_READ_AHEAD = 256
_IMAGE_THREADS = 2
_SAY = "what was answered is kept; the same command goes on from here"


class Gathered(Record):
    """What a run did. Counts of requests; `before` were in the ledger when it began.

    answered: replies stored, of them `errors` without a usable HTTP reply. elsewhere: in another
    process or batch. retries: tries that were made again. lost: attempts, of this run or of killed
    ones that it found, without a reply although they may have been paid. usd: charged in this
    time, lost ones at their upper bound. api: the dialect spoken.
    """

    before: int
    answered: int
    elsewhere: int
    errors: int
    retries: int
    lost: int
    usd: float
    seconds: float
    api: str


def gather(
    requests: Iterable[Request],
    ledger: Ledger,
    settings: LlmSettings,
    *,
    on_reply: Callable[[int], None] = lambda number: None,
    budget_option: str = "--max-usd",
) -> Gathered:
    """Have every request answered in `ledger`; what it holds, or an open batch has, is not sent.

    `requests` is read ahead a little, in a thread, and may be long. `on_reply` is called with the
    number of requests that are newly done. `budget_option`: what sets `max_usd`, for messages.

    ValueError: no key, or a budget for a model without a price. GatherStoppedError (BudgetError,
    DeadlineError, EndpointError): what was answered is kept, the same call goes on from there.
    """
    return asyncio.run(_Run(ledger, settings, on_reply, budget_option).gather(iter(requests)))


class _Run:
    def __init__(
        self,
        ledger: Ledger,
        settings: LlmSettings,
        on_reply: Callable[[int], None],
        budget_option: str,
    ) -> None:
        self._ledger, self._settings, self._on_reply = ledger, settings, on_reply
        self._budget_option = budget_option
        self._address = base_url(settings)
        self._api: Api | None = None if settings.api == "auto" else settings.api
        self._probing = asyncio.Lock()
        self._throttle = Throttle(settings.concurrency)
        self._requests_pace = Pace(settings.requests_per_minute)
        self._tokens_pace = Pace(settings.tokens_per_minute)
        self._prices: dict[str, Price | None] = {}
        self._image_threads = ThreadPoolExecutor(_IMAGE_THREADS, thread_name_prefix="mgld-image")
        self._busy: deque[Request] = deque()  # to be looked at again when the others are done
        self._before = self._answered = self._elsewhere = self._errors = self._retries = 0
        self._stopped_by: GatherStoppedError | None = None
        self._stopping = asyncio.Event()
        self._refused_in_a_row = self._given_up_in_a_row = 0
        self._postponed: dict[str, float] = {}  # key -> when it was first tried
        self._last_answer = time.monotonic()

    async def gather(self, requests: Iterator[Request]) -> Gathered:
        began, money, lost = time.monotonic(), self._ledger.money(), self._ledger.lost()
        self._ledger.bury_dead()
        try:
            async with (
                Commits(self._ledger) as self._commits,
                open_session(self._settings) as self._session,
            ):
                await self._run_workers(requests)
        finally:
            self._image_threads.shutdown(wait=False, cancel_futures=True)
        if self._stopped_by:
            raise self._stopped_by
        return Gathered(
            before=self._before,
            answered=self._answered,
            elsewhere=self._elsewhere,
            errors=self._errors,
            retries=self._retries,
            lost=self._ledger.lost() - lost,
            usd=max(0.0, self._ledger.money().charged - money.charged),
            seconds=time.monotonic() - began,
            api=self._api or "",
        )

    async def _run_workers(self, requests: Iterator[Request]) -> None:
        """Feed the workers until every request is done, or something stops the run."""
        known = self._ledger.answered() | self._ledger.open_batched()
        queue: asyncio.Queue[Request | None] = asyncio.Queue(self._settings.concurrency)
        if self._settings.total_seconds is not None:
            over = DeadlineError(f"the time given (total_seconds) is over; {_SAY}")
            loop = asyncio.get_running_loop()
            loop.call_later(self._settings.total_seconds, self._stop, over)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._settings.concurrency):
                    group.create_task(self._work(queue))
                while some := await asyncio.to_thread(lambda: list(islice(requests, _READ_AHEAD))):
                    for request in some:
                        if request.key in known:
                            self._before += 1
                            continue
                        known.add(request.key)  # the same question twice in one call
                        await queue.put(request)
                    if self._stopped_by:
                        break
                for _ in range(self._settings.concurrency):
                    await queue.put(None)
        except BaseExceptionGroup as group_error:
            # One reason is enough: the others are the same, or come from stopping.
            raise group_error.exceptions[0] from None

    async def _work(self, queue: asyncio.Queue[Request | None]) -> None:
        while (request := await queue.get()) is not None:
            if not self._stopped_by:  # else it is taken so that the feeder can end
                await self._answer(request)
        while self._busy and not self._stopped_by:
            # Another process has them, and answers them or dies; or they failed so far.
            request = self._busy.popleft()
            with suppress(GatherStoppedError):
                await self._sleep(LOOK_AGAIN)
                await asyncio.to_thread(self._ledger.bury_dead)
                await self._answer(request)

    def _stop(self, error: GatherStoppedError) -> None:
        """Have no request begin any more. What is in flight is waited for: it is paid anyway."""
        self._stopped_by = self._stopped_by or error
        self._stopping.set()

    async def _sleep(self, seconds: float) -> None:
        """Sleep; a stop ends it, and is raised."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopped_by:
            raise self._stopped_by

    async def _answer(self, request: Request) -> None:
        try:
            if self._api is None:
                async with self._probing:
                    if self._api is None:
                        await self._probe(request)
                        return
            await self._send(request, self._api, probing=False)
        except GatherStoppedError as error:
            self._stop(error)

    async def _probe(self, request: Request) -> None:
        """Find out, with a real request, which dialect the endpoint accepts."""
        known = self._ledger.endpoint_api(self._address, request.model)
        if known in APIS:
            # Found before: one odd reply, such as a fenced one, no longer speaks against it.
            self._api = known
            await self._send(request, known, probing=False)
            return
        for api in APIS:
            why = await self._send(request, api, probing=True)
            if why is None:
                return  # maybe without an answer that would tell: then the next request asks
        raise EndpointError(
            f"{self._address} accepts none of {', '.join(APIS)}; to the last it said: {why}"
        )

    async def _send(self, request: Request, api: Api, *, probing: bool) -> str | None:
        """Bring one request to its stored reply; returns why the dialect does not do, if so."""
        expected = estimate(request, None, None)
        price = self._price(request.model)
        usd = upper_bound_usd(request, expected, price, batch=False) if price else 0.0
        tokens = expected.input_tokens + expected.output_tokens
        content = await self._body(request, api)
        began, tries, too_many = time.monotonic(), 0, 0
        while True:
            await self._enter(tokens)
            try:
                attempt = await self._claim(request, usd)
                if attempt is None:
                    return None
                if isinstance(content, ValueError):
                    reply = HttpReply(0, f"the image cannot be sent: {content}".encode(), None)
                    self._store(request, attempt, api, reply)
                    return None
                sent = time.monotonic()
                reply, outcome = await self._post(api, content, attempt)
            finally:
                self._throttle.leave()
            if outcome.kind == "answered":
                self._count_refusals(attempt, outcome)
                said = self._store(request, attempt, api, reply, time.monotonic() - sent)
                self._tokens_pace.correct(said.input_tokens + said.output_tokens - tokens)
                if not probing or reply.http_status >= 300:
                    return None
                why = _misunderstood(request, api, said, outcome)
                if why:
                    self._commits.flush()
                    self._ledger.forget([request.key])
                    return why
                self._api = api
                self._ledger.remember_api(self._address, request.model, api)
                return None
            if outcome.kind != "again":
                self._commits.add(Release(attempt, outcome.reason))
                if outcome.kind == "unsupported" and probing:
                    return outcome.reason
                raise EndpointError(f"{self._address} says: {outcome.reason}; {_SAY}")
            limited = reply.http_status == 429
            tries, too_many = tries + (not limited), too_many + limited
            if tries >= TRIES or too_many >= TRIES_TOO_MANY:
                self._give_up(request, attempt, api, outcome, began)
                return None
            self._retries += 1
            self._commits.add(Release(attempt, outcome.reason, outcome.paid))
            pause = backoff(tries + too_many, reply.retry_after)
            if limited:
                self._throttle.too_many(pause)
            await self._sleep(pause)

    async def _enter(self, tokens: int) -> None:
        """Wait until the limits and the endpoint let one more request be under way."""
        if wait := max(self._requests_pace.take(1), self._tokens_pace.take(tokens)):
            await self._sleep(wait)
        while wait := self._throttle.enter():
            await self._sleep(wait)

    async def _claim(self, request: Request, usd: float) -> int | None:
        """Commit the intent to send: the attempt's number, or None where it is not ours to send."""
        while True:
            claimed = await self._commits.claim(Claim(request, usd, self._settings.max_usd))
            if claimed.state == "granted":
                return claimed.attempt
            if claimed.state == "answered":
                self._elsewhere += 1
                self._on_reply(1)
                return None
            if claimed.state == "batched":  # since this run began; a day is too long to wait
                self._elsewhere += 1
                return None
            if claimed.state == "busy":
                self._busy.append(request)
                return None
            # Over budget; what is in flight will cost less than is reserved for it.
            self._commits.flush()
            await asyncio.to_thread(self._ledger.bury_dead)
            if self._ledger.in_flight() == 0:
                raise BudgetError(self._used_up(usd))
            await self._sleep(LOOK_AGAIN / 10)

    def _used_up(self, usd: float) -> str:
        money = self._ledger.money()
        parts = [f"${money.lost:.4f} of it only perhaps"] if money.lost else []
        if money.reserved:
            parts.append(f"${money.reserved:.4f} of it at most, for batches not collected yet")
        return (
            f"the budget is used up: ${money.charged:.4f} of ${self._settings.max_usd} is charged"
            f"{''.join(f', {part}' for part in parts)}, and the next request could cost "
            f"${usd:.4f}; what was answered is kept, a higher {self._budget_option} goes on "
            "from here"
        )

    async def _post(self, api: Api, content: bytes, attempt: int) -> tuple[HttpReply, Outcome]:
        """One try; no reply is a reply with status 0."""
        try:
            reply = await post(self._session, self._address + PATHS[api], content)
        except NoReplyError as error:
            return HttpReply(0, b"", None), Outcome("again", str(error), error.paid)
        except asyncio.CancelledError:
            self._commits.add(Release(attempt, "stopped", paid=True))
            raise
        reply = reply._replace(raw=without_key(reply.raw, reply.http_status, self._settings))
        outcome = outcome_of(reply, api)
        return reply, outcome._replace(reason=redact(outcome.reason, self._settings))

    def _count_refusals(self, attempt: int, outcome: Outcome) -> None:
        """Stop where the endpoint answers, but refuses whatever it is asked."""
        if not outcome.useless:
            self._refused_in_a_row = self._given_up_in_a_row = 0
            self._last_answer = time.monotonic()
            self._throttle.went_well()
            return
        self._refused_in_a_row += 1
        if self._refused_in_a_row >= HOPELESS:
            self._commits.add(Release(attempt, outcome.reason))
            raise EndpointError(
                f"{self._address} refused {HOPELESS} requests in a row, last: {outcome.reason}"
            )

    def _give_up(
        self, request: Request, attempt: int, api: Api, outcome: Outcome, began: float
    ) -> None:
        """Store that a request failed too often, if another was answered since its first try.

        Else the endpoint may be away: then it is asked once more when all others have been, and
        the run stops where several in a row, or that, get no answer.
        """
        began = self._postponed.get(request.key, began)
        if self._last_answer < began:
            self._commits.add(Release(attempt, outcome.reason, outcome.paid))
            self._given_up_in_a_row += 1
            first = request.key not in self._postponed and self._given_up_in_a_row < AWAY
            # Where nothing ever was an answer, no more is paid to find out.
            if first and (self._answered or not outcome.paid):
                self._postponed[request.key] = began
                self._busy.append(request)
                return
            raise EndpointError(
                f"{self._address} has answered nothing for {time.monotonic() - began:.0f} s, "
                f"last: {outcome.reason}; {_SAY}"
            )
        why = f"given up after many tries, last: {outcome.reason}"
        self._store(request, attempt, api, HttpReply(0, why.encode(), None), lost=outcome.paid)

    def _store(
        self,
        request: Request,
        attempt: int,
        api: Api,
        reply: HttpReply,
        seconds: float = 0.0,
        *,
        lost: bool = False,
    ) -> Reply:
        said = read_reply(api, reply.http_status, reply.raw)
        price = self._price(request.model)
        tokens = (said.input_tokens, said.cached_tokens, said.output_tokens)
        stored = StoredReply(
            request.key,
            "online",
            api,
            reply.http_status,
            reply.raw,
            said.model,
            *tokens,
            usd=cost_usd(price, *tokens, batch=False) if price else 0.0,
            seconds=seconds,
        )
        untold = 200 <= reply.http_status < 300 and not any(tokens)
        self._commits.add(Settle(attempt, stored, lost=lost, untold=untold))
        self._answered += 1
        self._errors += not 200 <= reply.http_status < 300
        self._on_reply(1)
        return said

    async def _body(self, request: Request, api: Api) -> bytes | ValueError:
        """The request's body, or why its image cannot be read."""
        if request.image is None:
            return _dumps(body(request, None, api))
        image = request.image

        def with_image() -> bytes | ValueError:
            try:
                url = data_url(image.read(), request.parameters)
            except (OSError, ValueError) as error:
                return ValueError(error)
            return _dumps(body(request, url, api))

        return await asyncio.get_running_loop().run_in_executor(self._image_threads, with_image)

    def _price(self, model: str) -> Price | None:
        if model not in self._prices:
            self._prices[model] = budget_price(model, self._settings, self._budget_option)
        return self._prices[model]


def budget_price(model: str, settings: LlmSettings, budget_option: str) -> Price | None:
    """The model's price; ValueError where there is none and `budget_option` set a budget."""
    price = find_price(model, settings)
    if price is None and settings.max_usd is not None:
        raise ValueError(
            f"{budget_option} needs to know what {model} costs, and no price is known: give one "
            "in a file like mgld/llm/prices.yaml (setting llm.prices)"
        )
    return price


def _misunderstood(request: Request, api: Api, said: Reply, outcome: Outcome) -> str | None:
    """Why an answer speaks against the dialect it was asked for in, if it does."""
    if outcome.useless:
        return outcome.reason
    # Fences and prose around an object are taken off when it is read.
    plain = said.status == "ok" and "{" not in said.text
    if plain and request.schema is not None and api != APIS[-1]:
        return "it answered without regard to the JSON schema"
    return None


def _dumps(fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
