"""What a check of a bundle found: errors, for which it is refused, and warnings for its readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mgld.schema import Record

EXAMPLES = 3
"""Questions or files that a finding names."""


class Finding(Record):
    """One thing that is wrong, or that a reader must know; `check`: which check found it."""

    severity: Literal["error", "warning"]
    check: str
    message: str


class Checked(Record):
    """The outcome of all checks of one bundle.

    bundle: its id, "" where its manifest cannot be read. name: as it is to be shown. checks: those
    that were made, in order; one that needs what an earlier one refused is not made. headline: the
    result by these checks, "" where there is none.
    """

    bundle: str
    name: str
    checks: list[str]
    findings: list[Finding]
    headline: str = ""

    @property
    def errors(self) -> int:
        """How many findings refuse the bundle."""
        return sum(finding.severity == "error" for finding in self.findings)

    def lines(self) -> list[str]:
        """A table: each check, its outcome, and what was found; texts are safe for a terminal."""
        width = max(map(len, self.checks), default=0)
        rows = []
        for check in self.checks:
            found = [each for each in self.findings if each.check == check]
            if not found:
                rows.append(f"{check:<{width}}  ok")
            rows += [
                f"{check:<{width}}  {each.severity.upper():<7}  {each.message}" for each in found
            ]
        warnings = len(self.findings) - self.errors
        verdict = "refused" if self.errors else "accepted by these checks"
        rows.append(f"{verdict}: {_number(self.errors, 'error')}, {_number(warnings, 'warning')}")
        return [printable(row) for row in rows]


class Findings:
    """Collects findings, check by check."""

    def __init__(self) -> None:
        self.checks: list[str] = []
        self.all: list[Finding] = []

    def check(self, name: str) -> None:
        """Begin a check; what is found from now on is its finding."""
        if name not in self.checks:
            self.checks.append(name)

    def error(self, message: str) -> None:
        """Refuse the bundle."""
        self.all.append(Finding(severity="error", check=self.checks[-1], message=message))

    def warning(self, message: str) -> None:
        """Tell those who read the result."""
        self.all.append(Finding(severity="warning", check=self.checks[-1], message=message))

    @property
    def failed(self) -> bool:
        """Whether anything refuses the bundle so far."""
        return any(each.severity == "error" for each in self.all)


def examples(of: Sequence[object]) -> str:
    """The first few of many, in parentheses, cut to a length that fits a line."""
    shown = ", ".join(str(each)[:80] for each in of[:EXAMPLES])
    return f"({shown}{', ...' if len(of) > EXAMPLES else ''})"


def printable(text: str) -> str:
    """`text` with what a terminal would obey, or a line would break at, as "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
