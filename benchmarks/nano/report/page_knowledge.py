"""The knowledge study as figures and Markdown, from `knowledge.json` alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.nano.knowledge import KNOWLEDGE_FILE, RULES, SCORES
from benchmarks.nano.record import Questions
from benchmarks.nano.report.words import details, percent, table
from mgld.figures import Drawing
from mgld.figures.precision_at_k import PurityPanel, draw_precision_at_k
from mgld.figures.roc import RocCurve, draw_roc

SCORE_WORDS: Final = {
    "rsr": "RSR",
    "sim": "Sim",
    "margin": "margin",
    "entropy": "entropy",
    "max_softmax": "max-softmax",
}
RULE_WORDS: Final = {
    "hds": "HDS",
    "hss": "HSS",
    "lcs_complement": "last by LCS",
    "margin": "largest margin",
    "entropy": "lowest entropy",
    "max_softmax": "largest max-softmax",
    "brs": "BRS (random)",
    "lcs": "LCS",
}
TEST: Final = "exact sign test over the records that one of the two chose alone, 5 %"
TITLES: Final = {
    "ever": "Taught at all",
    "known": "Taught sometimes or often",
    "often": "Taught often",
}


def read_study(folder: Path, questions: Questions | None = None) -> dict[str, Any] | None:
    """What `benchmarks.nano.knowledge` wrote; None where it has not.

    ValueError: it is of another build than the runs whose `questions` these are.
    """
    import json

    path = folder / KNOWLEDGE_FILE
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    asked = questions.sha256.get(found["taught"]) if questions else None
    if asked not in (None, found["questions_sha256"]):
        raise ValueError(
            f"{path} is of another build than the runs: make it anew "
            "(python -m benchmarks.nano.knowledge out/nano/build)"
        )
    return found


def draw_study(study: dict[str, Any]) -> Iterator[Drawing]:
    """ROC and precision at k, for the definitions that have both groups."""
    shown = {id: title for id, title in TITLES.items() if id in study["definitions"]}
    if not shown:
        return
    yield draw_roc({title: _curves(study["definitions"][id]) for id, title in shown.items()})
    yield draw_precision_at_k(
        [_panel(study["definitions"][id], title) for id, title in shown.items()],
        budgets=list(study["sizes"].values()),
    )


def render_study(study: dict[str, Any], pictures: str) -> str:
    """The section's text."""
    parts = [
        f"{study['pool']:,} training records, {study['names']:,} names, encoder "
        f"`{study['encoder']}`. What was taught is known here; of CLIP it is not. RSR, Sim and "
        "margin know the landmark's name; entropy and max-softmax (over all names, at the "
        "encoder's own scale) do not need it.",
        _summary(study),
        _areas(study),
        pictures,
        "How many % of a subset are landmarks taught sometimes or often (VE-Known), by the rule "
        "that chose it:",
        _purity(study, "known"),
        details('The same for "taught often"', _purity(study, "often")),
        "HDS is the order of the margin among the images whose own name comes first, so that the "
        "two part only where those are used up. Intervals of areas: Newcombe's (2006, method 5), "
        "landmarks of one name counted once; differences from RSR: DeLong's.",
    ]
    return "\n\n".join(parts)


def _summary(study: dict[str, Any]) -> str:
    """Which score finds best what was taught, for each of the definitions shown."""
    lines = []
    for id, title in TITLES.items():
        areas = study["definitions"].get(id, {}).get("areas")
        if areas is None:
            continue
        best = max(SCORES, key=lambda name: areas[name]["auc"])
        words = f"- {title}: best found by {SCORE_WORDS[best]} ({areas[best]['auc']:.3f})"
        if best == "rsr":
            next_best = max((n for n in SCORES if n != best), key=lambda name: areas[name]["auc"])
            words += f", next {SCORE_WORDS[next_best]} ({areas[next_best]['auc']:.3f})"
        else:
            over, low, high = (areas[best][key] for key in ("over_rsr", "over_low", "over_high"))
            words += f", {over:+.3f} over RSR ({low:+.3f} to {high:+.3f}"
            words += "): the two cannot be told apart" if low <= 0 <= high else ")"
        lines.append(words)
    return "\n".join(lines)


def _areas(study: dict[str, Any]) -> str:
    header = ["what counts as taught", "of", *(SCORE_WORDS[name] for name in SCORES)]
    body = []
    for each in study["definitions"].values():
        best = max(value["auc"] for value in each["areas"].values())
        cells = []
        for name in SCORES:
            value = each["areas"][name]
            text = f"{value['auc']:.3f}"
            text = f"**{text}**" if value["auc"] == best else text
            cells.append(f"{text} ({value['low']:.3f} to {value['high']:.3f})")
        body.append([each["about"], f"{each['taught']:,} of {each['landmarks']:,}", *cells])
    return "Area under the ROC curve (0.5 is chance, 1 finds all), 95 % interval:\n\n" + table(
        header, body
    )


def _purity(study: dict[str, Any], definition: str) -> str:
    """Purity at each budget."""
    found = study["definitions"].get(definition)
    if found is None or not study["sizes"]:
        return "No budget fits this pool."
    names = list(study["sizes"])
    header = ["rule", *(f"{name}: {study['sizes'][name]:,}" for name in names)]
    body = []
    for rule in RULES:
        cells = []
        for name in names:
            size = str(study["sizes"][name])
            value = found["precision"][rule][size]
            text = percent(value["precision"])
            cells.append(f"**{text}**" if rule in found["purest"][size]["highest"] else text)
        body.append([RULE_WORDS[rule], *cells])
    best = [percent(found["best_possible"][str(study["sizes"][name])]) for name in names]
    body.append(["best possible", *best])
    return f"{table(header, body)}\n\nBold: the purest. {_told_apart(study, found)}"


def _told_apart(study: dict[str, Any], found: dict[str, Any]) -> str:
    words = []
    for name, size in study["sizes"].items():
        near = found["purest"][str(size)]["not_told_apart"]
        if near:
            words.append(f"{name}: {', '.join(RULE_WORDS[rule] for rule in near)}")
    if not words:
        return f"All others are told apart from it ({TEST})."
    return f"Not told apart from it ({TEST}): {'; '.join(words)}."


def _curves(found: dict[str, Any]) -> list[RocCurve]:
    return [
        RocCurve(
            SCORE_WORDS[name],
            found["false_rates"],
            found["true_rates"][name],
            found["areas"][name]["auc"],
            found["areas"][name]["low"],
            found["areas"][name]["high"],
        )
        for name in SCORES
    ]


def _panel(found: dict[str, Any], title: str) -> PurityPanel:
    shown = [rule for rule in RULES if rule not in ("lcs_complement", "max_softmax")]
    names = {"margin": "largest margin", "entropy": "lowest entropy"}
    share = {names.get(rule, rule): found["along"][rule] for rule in shown}
    return PurityPanel(title, found["along"]["sizes"], share, found["chance"])
