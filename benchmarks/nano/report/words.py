"""Numbers and tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.nano.report.effects import Estimate

NOT_RUN = "not run"
NOT_PRINTED = "not printed"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text: Sequence[str] = ()) -> str:
    """A table; the first column and those named in `text` begin at the left, others end right."""
    left = [k == 0 or name in text for k, name in enumerate(header)]
    lines = [
        f"| {' | '.join(header)} |",
        "|" + "".join("---|" if each else "---:|" for each in left),
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def details(summary: str, body: str) -> str:
    """A part that is folded until it is opened."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, without the sign."""
    return _signed_zero(f"{100 * share:.{digits}f}")


def change(share: float, digits: int = 1) -> str:
    """A difference of shares in points, with its sign."""
    return _signed_zero(f"{100 * share:+.{digits}f}")


def spread(low: float, high: float, digits: int = 1, *, signed: bool = True) -> str:
    """An interval in percent or points."""
    one = change if signed else percent
    return f"{one(low, digits)} to {one(high, digits)}"


def mean_of(found: Estimate | None) -> str:
    """`12.3 (10.9 to 13.7)`; "not run" where there is none."""
    if found is None:
        return NOT_RUN
    return f"{percent(found.effect)} ({spread(found.low, found.high, signed=False)})"


def effect_of(found: Estimate | None, digits: int = 1) -> str:
    """`+8.2 (+6.1 to +10.3)`; "not run" where there is none."""
    if found is None:
        return NOT_RUN
    return f"{change(found.effect, digits)} ({spread(found.low, found.high, digits)})"


def p_value(p: float) -> str:
    """Two digits that matter, or that it is tiny."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.001 else f"{p:.3f}"


def seeds_of(seeds: Sequence[int]) -> str:
    """`5`, or "not run"."""
    return str(len(seeds)) if seeds else NOT_RUN


def _signed_zero(text: str) -> str:
    """Never `-0.0`."""
    return text.replace("-", "+" if text.startswith("-") else "", 1) if _is_zero(text) else text


def _is_zero(text: str) -> bool:
    return text.startswith("-") and float(text) == 0
