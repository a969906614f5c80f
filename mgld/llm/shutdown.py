"""When a model ends, as its endpoint says. Asked while planning; nothing depends on the answer."""

from __future__ import annotations

import datetime
import threading

from mgld.llm.client import redact, sync_client
from mgld.llm.settings import LlmSettings

WAIT_SECONDS = 3.0


def endpoint_shutdown(model: str, settings: LlmSettings) -> tuple[datetime.date | None, str]:
    """The `shutdown_date` of GET /models/{model}, or None and why there is none to say.

    Never raises, and never takes much more than WAIT_SECONDS.
    """
    found: list[tuple[datetime.date | None, str]] = []
    settings = settings.model_copy(update={"request_seconds": WAIT_SECONDS})
    try:
        client = sync_client(settings, max_retries=0)
    except ValueError as error:  # no key, no address
        return None, f"the endpoint was not asked: {error}"

    def ask() -> None:
        try:
            answer = client.models.retrieve(model)
            found.append(_date(getattr(answer, "shutdown_date", None)))
        except Exception as error:  # whatever an endpoint does, a plan is still a plan
            found.append((None, f"the endpoint does not tell: {redact(str(error), settings)}"))

    # A thread, since an endpoint that sends a byte a second stays within every read's time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(WAIT_SECONDS)
    return found[0] if found else (None, f"the endpoint did not answer in {WAIT_SECONDS:.0f} s")


def _date(value: object) -> tuple[datetime.date | None, str]:
    if value is None:
        return None, ""
    try:
        return datetime.date.fromisoformat(str(value)), ""
    except ValueError:
        return None, f"the endpoint gives a shutdown date that is none: {str(value)[:40]!r}"
