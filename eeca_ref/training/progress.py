"""What a person sees while a model is trained: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from eeca_ref.training.log import StepRecord

LINE_SECONDS = 10.0
WINDOW = 20
"""Steps that speed and time left are taken from."""


class Progress(Protocol):
    """Told of each step of the main process."""

    def step(self, record: StepRecord) -> None:
        """A step is done."""

    def event(self, entry: Mapping[str, Any]) -> None:
        """Something happened, as it stands in the log."""

    def close(self) -> None:
        """No more will come."""


def shown_progress(*, done: int, total: int | None, out: TextIO | None = None) -> Progress:
    """Progress on `out` (stderr): a bar where it is a terminal, lines otherwise.

    done: steps of earlier sessions; total: of the whole run, None: not known.
    """
    out = out or sys.stderr
    return BarProgress(out, done, total) if out.isatty() else LineProgress(out, total)


class Speed:
    """Tokens per second and time left, from the last `WINDOW` steps."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._recent: deque[tuple[int, float]] = deque(maxlen=WINDOW)

    def add(self, record: StepRecord) -> None:
        """A step is done."""
        self._recent.append((record.tokens, record.seconds))

    @property
    def tokens_per_second(self) -> float:
        """Positions of the language model per second, over all processes."""
        tokens, seconds = (sum(values) for values in zip(*self._recent, strict=True))
        return float(tokens / max(seconds, 1e-9))

    def seconds_left(self, step: int) -> float | None:
        """Of the steps after `step`; None: their number is not known."""
        if self._total is None:
            return None
        seconds = sum(seconds for _, seconds in self._recent) / len(self._recent)
        return max(self._total - step, 0) * seconds


def step_text(record: StepRecord, speed: Speed) -> str:
    """Loss, learning rate, tokens/s and time left, in words."""
    rates = ", ".join(f"{rate:.2e}" for rate in dict.fromkeys(record.lr.values()))
    left = speed.seconds_left(record.step)
    text = f"loss {record.loss:.4f}, lr {rates}, {speed.tokens_per_second:,.0f} tokens/s"
    return text if left is None else f"{text}, {duration(left)} left"


def event_text(entry: Mapping[str, Any]) -> str:
    """An event in one line."""
    what = ", ".join(
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in entry.items()
        if name not in ("kind", "step") and isinstance(value, (str, int, float))
    )
    return f"step {entry['step']:,}: {entry['kind']}" + (f" ({what})" if what else "")


def duration(seconds: float) -> str:
    """h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"


class LineProgress:
    """The first step, then a line every ten seconds; made for logs."""

    def __init__(self, out: TextIO, total: int | None) -> None:
        self._out = out
        self._total = "?" if total is None else f"{total:,}"
        self._speed = Speed(total)
        self._said: float | None = None

    def step(self, record: StepRecord) -> None:
        """See `Progress`."""
        self._speed.add(record)
        now = time.monotonic()
        if self._said is None or now - self._said >= LINE_SECONDS:
            self._said = now
            self._say(f"step {record.step:,}/{self._total}: {step_text(record, self._speed)}")

    def event(self, entry: Mapping[str, Any]) -> None:
        """See `Progress`."""
        self._say(event_text(entry))

    def close(self) -> None:
        """See `Progress`."""

    def _say(self, text: str) -> None:
        # one write a line, as other processes write to the same stream
        self._out.write(f"{text}\n")
        self._out.flush()


class BarProgress:
    """A rich bar."""

    def __init__(self, out: TextIO, done: int, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self._speed = Speed(total)
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=Console(file=out),
        )
        self._task = self._bars.add_task("train", total=total, completed=done, text="")
        self._bars.start()

    def step(self, record: StepRecord) -> None:
        """See `Progress`."""
        self._speed.add(record)
        text = step_text(record, self._speed)
        self._bars.update(self._task, completed=record.step, text=text)

    def event(self, entry: Mapping[str, Any]) -> None:
        """See `Progress`."""
        self._bars.console.print(event_text(entry), markup=False, highlight=False)

    def close(self) -> None:
        """See `Progress`."""
        self._bars.stop()
