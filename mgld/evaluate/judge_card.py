"""The judge card: what is known of a judge, as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from string import Template

from mgld.evaluate.attacked import Attacked
from mgld.evaluate.calibrate import BUILTIN, Calibration, Disagreement
from mgld.evaluate.intervals import Interval
from mgld.evaluate.records import LEVELS

WEAK_BELOW = 0.8
"""A kind of answers is named as a weakness where fewer of its sets get the right level."""
_BUILTIN_NOTE = (
    "**The labels are ours, not a panel's**: one author wrote the answers and gave the levels by "
    "stated rules (`mgld/evaluate/calibration/README.md`). Hard kinds are there on purpose, so the "
    "numbers say how the judge treats kinds of answers, not how often it is right about a model's. "
    "The `rule` judge was worked on with most of it in view; that file has its results on sets "
    "that it had not seen."
)


def card_text(found: Calibration, attacked: Attacked | None) -> str:
    """The card of a judge, Markdown. attacked: None where no attack was tried."""
    template = (files("mgld.evaluate") / "templates" / "judge_card.md").read_text(encoding="utf-8")
    result = found.agreement
    return Template(template).substitute(
        judge=found.judge,
        prompt_hash=found.prompt_hash,
        replies=_replies(found),
        version=found.version,
        date=found.date,
        labels=_labels(found),
        labels_sha256=found.labels_sha256,
        items=result.items,
        landmarks=found.landmarks,
        scored=result.scored,
        whose=_whose(found),
        quadratic_kappa=decimals(result.quadratic_kappa),
        quadratic_kappa_interval=interval_text(result.quadratic_kappa_interval),
        kappa=decimals(result.kappa),
        kappa_interval=interval_text(result.kappa_interval),
        exact=decimals(result.exact),
        exact_interval=interval_text(result.exact_interval),
        unscored=f"{result.unscored} ({result.unscored_share:.1%})",
        recognised_labels=decimals(found.recognised_labels),
        recognised_judge=decimals(found.recognised_judge),
        too_high=found.too_high,
        too_low=found.too_low,
        matrix=_matrix(found),
        people=_people(found),
        kinds=_kinds(found),
        weaknesses=_weaknesses(found),
        attacks=_attacks(attacked),
    )


def _replies(found: Calibration) -> str:
    """A row of the table for a judge that asks a model: as whom it replied, when, and whether that
    was one model.
    """
    if found.judged_by is None:
        return ""
    said = "; ".join((found.judged_by.replies(), *found.judged_by.notes()))
    return f"\n| replied | {_cell(said)} |"


def decimals(value: float | None) -> str:
    """Three decimals; "not defined" for None."""
    return "not defined" if value is None else f"{value:.3f}"


def interval_text(interval: Interval | None) -> str:
    """`0.812 to 0.904`; empty where there is none."""
    return "" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"


def _labels(found: Calibration) -> str:
    if found.labels == BUILTIN:
        return "the built-in calibration set"
    people = "one person" if found.labellers == 1 else f"{found.labellers} people"
    return f"{_cell(found.labels)}, by {people}"


def _whose(found: Calibration) -> str:
    if found.labels == BUILTIN:
        return _BUILTIN_NOTE
    text = "Each question's label is the level that most people gave to it."
    if found.tied:
        text += f" Left out, since no level leads: {len(found.tied)}."
    return text


def _matrix(found: Calibration) -> str:
    names = [level.replace("_", " ") for level in LEVELS]
    counts = [
        [name, *map(str, row), str(sum(row))]
        for name, row in zip(names, found.agreement.matrix, strict=True)
    ]
    return _table(["", *names, "all"], counts)


def _people(found: Calibration) -> str:
    if not found.people:
        return ""
    rows = [
        [
            _cell(" and ".join(name or "(no name)" for name in pair.labellers)),
            str(pair.agreement.items),
            decimals(pair.agreement.quadratic_kappa),
            interval_text(pair.agreement.quadratic_kappa_interval),
            decimals(pair.agreement.kappa),
        ]
        for pair in found.people
    ]
    header = ["people", "both labelled", "quadratic kappa", "95 % interval", "kappa"]
    return f"## Agreement between people\n\n{_table(header, rows)}\n\n"


def _kinds(found: Calibration) -> str:
    if not found.kinds:
        return "The labels say nothing of kinds."
    rows = [
        [kind.kind.replace("_", " "), str(kind.items), str(kind.right), f"{share:.2f}"]
        for kind in found.kinds
        for share in [kind.right / kind.items]
    ]
    return "A set may be of several kinds.\n\n" + _table(
        ["kind", "sets", "same level", "share"], rows
    )


def _weaknesses(found: Calibration) -> str:
    weak = [kind for kind in found.kinds if kind.right < WEAK_BELOW * kind.items]
    lines = []
    if weak:
        named = ", ".join(
            f"{kind.kind.replace('_', ' ')} ({kind.right} of {kind.items})" for kind in weak
        )
        lines.append(f"Kinds with fewer than {WEAK_BELOW:.0%} at the right level: {named}.\n")
    elif found.kinds:
        lines.append(f"No kind has fewer than {WEAK_BELOW:.0%} at the right level.\n")
    if found.disagreements:
        lines.append("Where it disagrees, farthest first:\n")
        lines.extend(map(_disagreement, found.disagreements))
    else:
        lines.append("It disagrees with no label of this set; that is no proof of the next one.")
    return "\n".join(lines)


def _disagreement(each: Disagreement) -> str:
    label, judged = (name.replace("_", " ") for name in (each.label, each.judged))
    why = f" Label: {_inline(each.why)}" if each.why else ""
    return (
        f"- `{_inline(each.question_id)}` ({_inline(each.landmark)}): should be {label}, judged "
        f"{judged}.{why} Judge: {_inline(each.explanation) or 'no explanation'}"
    )


def _attacks(attacked: Attacked | None) -> str:
    if attacked is None:
        return "Not measured: `mgld judge attack` does."
    report = attacked.report
    rows = [
        [kind.kind.replace("_", " "), str(kind.attacks), str(kind.trials), str(kind.raised)]
        for kind in report.kinds
    ]
    scored = [accuracy for accuracy in attacked.constant.values() if accuracy is not None]
    best = f"{max(scored):.1%}" if scored else "none was scored"
    lines = [
        f"{report.attacks} attacks on answers to {report.questions} questions of the built-in set "
        f"(attacks `{report.attacks_hash[:16]}`). A trial that gets a better verdict than the same "
        f"answers without the attack, or none, counts as raised: **{report.in_words()}**; "
        f"lowered: {report.lowered:,}.\n",
        _table(["kind", "attacks", "trials", "raised"], rows),
        "\nAccuracy of a model that always says the same, the best of "
        f"{len(scored)} such answers: {best}.",
    ]
    if report.examples:
        lines.append("\nAttacks that worked:\n")
        lines += [
            f"- `{_inline(each.attack)}` on {_inline(each.question_id)}: {each.before} became "
            f"{each.after}"
            for each in report.examples
        ]
    return "\n".join(lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")


def _inline(text: str) -> str:
    """One line without markup: names, notes and explanations may hold anything."""
    line = " ".join(text.split())[:400]
    return line.translate({ord(mark): f"\\{mark}" for mark in "\\`*_<>[]"})
