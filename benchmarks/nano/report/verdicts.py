"""From contrasts to verdicts, by the rules of `claims`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from benchmarks.nano.report.claims import CLAIMS, MARGIN, MIN_SEEDS, RULES, Claim, Kind, Part
from benchmarks.nano.report.contrast import Found, contrast, missing
from benchmarks.nano.report.effects import widened
from benchmarks.nano.report.paper import paper_effect
from benchmarks.nano.report.runs import Runs
from mgld.schema import Record

Verdict = Literal["reproduced", "not reproduced", "undecided in miniature", "not run"]


class PaperNumbers(Record):
    """The paper's own effect and interval, as shares; verdict: what our rule says of it."""

    effect: float
    low: float
    high: float
    verdict: Verdict


class PartResult(Record):
    """One comparison. found None: not run, `missing` names what is not there."""

    label: str
    over: str
    encoder: str
    paper: PaperNumbers | None
    found: Found | None
    missing: list[str]
    verdict: Verdict


class Conclusion(Record):
    """A claim and what became of it.

    mean: of all parts, what the verdict is of where they are taken together. by_bootstrap: what the
    rule would say of the percentiles of the two-way bootstrap.
    """

    id: str
    group: str
    says: str
    where: str
    rule: str
    parts: list[PartResult]
    mean: PartResult | None
    verdict: Verdict
    by_bootstrap: Verdict
    note: str

    @property
    def shown(self) -> list[PartResult]:
        """What the verdict is of."""
        return self.parts if self.mean is None else [self.mean]


def verdict_of(low: float, high: float, kind: Kind) -> Verdict:
    """What a 95 % interval of an effect says of a claim."""
    if kind == "more":
        yes, no = low > 0, high < 0
    elif kind == "no_gain":
        yes, no = high < MARGIN, low > 0
    elif kind == "no_loss":
        yes, no = low > -MARGIN, high < 0
    else:
        yes, no = low > -MARGIN and high < MARGIN, low > 0 or high < 0
    return "reproduced" if yes else "not reproduced" if no else "undecided in miniature"


def conclude(runs: Runs) -> list[Conclusion]:
    """All claims, in the order of the report."""
    return [_conclude(runs, claim) for claim in CLAIMS]


def _conclude(runs: Runs, claim: Claim) -> Conclusion:
    parts = [_part(runs, part, claim.kind) for part in claim.parts]
    mean = None
    if claim.together and len(parts) > 1:
        mean = _part(runs, claim.mean, claim.kind)
    shown = parts if mean is None else [mean]
    return Conclusion(
        id=claim.id,
        group=claim.group,
        says=claim.says,
        where=claim.where,
        rule=RULES[claim.kind],
        parts=parts,
        mean=mean,
        verdict=_all(shown, claim),
        by_bootstrap=_all(shown, claim, bootstrap=True),
        note=_note(shown, claim),
    )


def _part(runs: Runs, part: Part, kind: Kind) -> PartResult:
    printed = None
    if part.over == "all" and part.encoder == "west":
        printed = paper_effect(part.weights)
    found = contrast(runs, part)
    numbers = None
    if printed is not None:
        numbers = PaperNumbers(
            effect=printed.effect,
            low=printed.low,
            high=printed.high,
            verdict=verdict_of(printed.low, printed.high, kind),
        )
    return PartResult(
        label=part.label,
        over=part.over,
        encoder=part.encoder,
        paper=numbers,
        found=found,
        missing=missing(runs, part) if found is None else [],
        verdict=_verdict(found, kind),
    )


def _verdict(
    found: Found | None, kind: Kind, *, bootstrap: bool = False, comparisons: int = 1
) -> Verdict:
    """What the interval says, widened where it is one of several comparisons."""
    if found is None:
        return "not run"
    if len(found.estimate.seeds) < MIN_SEEDS:
        return "undecided in miniature"
    estimate = found.estimate
    if bootstrap and estimate.bootstrap is not None:
        low, high = estimate.bootstrap
        estimate = estimate.model_copy(update={"low": low, "high": high})
    return verdict_of(*widened(estimate, comparisons), kind)


def _all(parts: Sequence[PartResult], claim: Claim, *, bootstrap: bool = False) -> Verdict:
    """One verdict of parts that must all hold.

    That all do needs no allowance for their number; that one does not would happen by chance the
    more often the more there are, so that it must not on an interval widened for them.
    """
    run = [part.found for part in parts if part.found is not None]
    if not run or (len(run) < len(parts) and not claim.some):
        return "not run"
    each = [_verdict(found, claim.kind, bootstrap=bootstrap) for found in run]
    if set(each) == {"reproduced"}:
        return "reproduced"
    strict = [
        _verdict(found, claim.kind, bootstrap=bootstrap, comparisons=len(run)) for found in run
    ]
    return "not reproduced" if "not reproduced" in strict else "undecided in miniature"


def _note(shown: Sequence[PartResult], claim: Claim) -> str:
    """What one must know beside the verdict."""
    run = [part.found for part in shown if part.found is not None]
    notes = []
    if 0 < len(run) < len(shown):
        notes.append(f"{len(run)} of {len(shown)} comparisons were run")
    if run and min(len(found.estimate.seeds) for found in run) < MIN_SEEDS:
        notes.append("fewer than three seeds: too little is known of another one's effect")
    elif run and all(found.estimate.nothing_differs for found in run):
        notes.append("both recognise the same of these landmarks, or none: nothing to tell apart")
    elif claim.kind == "more" and run:
        ends = [(found.estimate.low, found.estimate.high) for found in run]
        if all(low <= 0 <= high for low, high in ends) and all(
            low > -MARGIN and high < MARGIN for low, high in ends
        ):
            notes.append("if there is an effect, it is below 2 points")
    return "; ".join(notes)
