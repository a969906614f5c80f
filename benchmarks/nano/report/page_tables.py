"""Tables 1 to 4 as Markdown, the paper's numbers on the left."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.nano.report.claims import Part, minus
from benchmarks.nano.report.contrast import contrast
from benchmarks.nano.report.paper import paper_row, paper_tables
from benchmarks.nano.report.rows import KNOWLEDGE, Gain, RowNumbers
from benchmarks.nano.report.runs import Runs
from benchmarks.nano.report.words import (
    NOT_RUN,
    change,
    details,
    effect_of,
    mean_of,
    p_value,
    percent,
    seeds_of,
    table,
)
from benchmarks.paper.cells import QUESTIONS
from mgld.evaluate.records import LEVELS

METHOD_WORDS = {"Data": "+ data", "HR": "+ HR branch", "L_e": "+ L_e", "L_h": "+ L_h"}
Number = Callable[[Gain], str]


def table_1(rows: list[RowNumbers]) -> str:
    """Gain by selection and size."""
    printed = {(row["selection"], row["size"]): row for row in paper_tables().printed[1]}
    random = {row.paper["size"]: row for row in rows if row.paper["selection"] == "BRS"}
    body = []
    for row in rows:
        paper = printed[str(row.paper["selection"]), str(row.paper["size"])]
        body.append(
            [
                f"{row.paper['selection']}-{row.paper['size']}",
                _brackets(paper["gain_pct"], paper["over_brs"]),
                here(row),
                mean_of(row.accuracy),
                gained(row, lambda gain: effect_of(gain.points)),
                _relative(row, random[row.paper["size"]]),
                *tested(row),
            ]
        )
    header = [
        "subset", "paper: gain, % (over BRS)", "here", "accuracy, %", "gain, points",
        "gain, % (over BRS)", "p", "seeds",
    ]  # fmt: skip
    return table(header, body)


def on_unknown(runs: Runs, rows: list[RowNumbers]) -> str:
    """A paragraph: what the larger subsets give on landmarks that the encoder was not taught."""
    larger = [row for row in rows if row.is_baseline or row.paper.get("size") == "50k"]
    found = {name_of(row): each for row in larger if (each := row.by_knowledge.get("unknown"))}
    if len(found) < len(larger):
        return ""
    unknown = int(runs.scope("unknown").sum())
    order = sorted(found, key=lambda name: -found[name].effect)
    words = ", ".join(f"{name} {percent(found[name].effect)}" for name in order)
    return (
        f"\n\n{len(runs.landmarks()) - unknown} test landmarks have colours that the encoder "
        f"was taught. Accuracy on the {unknown} others, which it was not: {words} %. Models say "
        "names that they were shown, and HDS and HSS show hardly any of the other half."
    )


def table_2(rows: list[RowNumbers]) -> str:
    """Entity prompts."""
    body = []
    for row in rows:
        (paper,) = (
            each for each in paper_tables().printed[2] if each["method"] == row.paper["method"]
        )
        whole = paper_row(row.experiment)
        body.append(
            [
                str(row.paper["method"]),
                f"{paper['strongly_known_pct']} + {paper['known_pct']}"
                + (f" = {percent(whole.accuracy, 2)}" if whole else ""),
                here(row),
                _two_levels(row),
                mean_of(row.accuracy),
                gained(row, lambda gain: effect_of(gain.points)),
                *tested(row),
            ]
        )
    header = [
        "method", "paper: strongly known + known, %", "here", "strongly known + known, %",
        "accuracy, %", "gain, points", "p", "seeds",
    ]  # fmt: skip
    return table(header, body)


def table_3(runs: Runs, rows: list[RowNumbers]) -> str:
    """The ablation, each row's step from the one above."""
    printed = {row["method"]: row for row in paper_tables().printed[3]}
    body = []
    for k, row in enumerate(rows):
        paper = printed[str(row.paper["method"])]
        step = ""
        if k:
            part = Part(row.experiment, minus(row.experiment, rows[k - 1].experiment))
            found = contrast(runs, part)
            step = NOT_RUN if found is None else effect_of(found.estimate)
        body.append(
            [
                METHOD_WORDS.get(str(row.paper["method"]), "Baseline"),
                f"{paper['strongly_known_pct']} + {paper['known_pct']} = "
                + _brackets(paper["accuracy_pct"], paper["accuracy_step"]),
                here(row),
                _two_levels(row),
                mean_of(row.accuracy),
                step,
                gained(row, lambda gain: effect_of(gain.points)),
                *tested(row),
            ]
        )
    header = [
        "row", "paper: strongly known + known, % (step)", "here", "strongly known + known, %",
        "accuracy, %", "step, points", "gain over baseline, points", "p", "seeds",
    ]  # fmt: skip
    return table(header, body)


def table_4(rows: list[RowNumbers]) -> str:
    """The same on 25k of three selections, subset by subset."""
    printed = {(row["subset"], row["method"]): row for row in paper_tables().printed[4]}
    body = []
    for subset in ("HDS-25k", "HSS-25k", "LCS-25k"):
        for row in (each for each in rows if each.paper["subset"] == subset):
            paper = printed[subset, str(row.paper["method"])]
            body.append(
                [
                    f"{subset} {METHOD_WORDS.get(str(row.paper['method']), 'baseline')}",
                    _brackets(paper["accuracy_pct"], paper["over_baseline"]),
                    here(row),
                    mean_of(row.accuracy),
                    gained(row, lambda gain: effect_of(gain.points)),
                    gained(row, lambda gain: _ratio(gain)),
                    *tested(row),
                ]
            )
    header = [
        "row", "paper: accuracy, % (gain)", "here", "accuracy, %", "gain, points", "gain, %",
        "p", "seeds",
    ]  # fmt: skip
    return table(header, body)


def levels(rows: list[RowNumbers]) -> str:
    """All levels of a table's rows, the paper's beside ours."""
    body = []
    for row in rows:
        paper = paper_row(row.experiment)
        counted = paper.levels if paper else None
        cells = []
        for k, level in enumerate(LEVELS):
            left = percent(counted[k] / QUESTIONS) if counted else "-"
            right = percent(row.shares[level]) if row.shares else NOT_RUN
            cells.append(f"{left} / {right}")
        unscored = str(sum(row.unscored)) if row.seeds else NOT_RUN
        body.append([name_of(row), *cells, unscored])
    header = ["row", *(level.replace("_", " ") for level in LEVELS), "unscored"]
    return details("Levels, % of the scored: paper / here", table(header, body))


def exactness(rows: list[RowNumbers]) -> str:
    """What is recognised, and what of it with the right kind."""
    body = [[name_of(row), mean_of(row.accuracy), mean_of(row.exact)] for row in rows]
    return table(["row", "recognised, %", "with the right kind, %"], body)


def by_knowledge(rows: list[RowNumbers], counts: dict[str, int]) -> str:
    """Accuracy and gain over landmarks known and unknown to the encoder."""
    words = {"known": "VE-Known", "rare": "rarely taught", "unknown": "VE-Unknown"}
    header = ["row"]
    for scope in KNOWLEDGE:
        header.append(f"{words[scope]} ({counts.get(scope, 0)}): accuracy, %")
        header.append("gain, points")
    body = []
    for row in rows:
        cells = [name_of(row)]
        for scope in KNOWLEDGE:
            cells.append(mean_of(row.by_knowledge.get(scope)))
            gain = effect_of(row.gain_by_knowledge.get(scope))
            cells.append("" if row.is_baseline else gain)
        body.append(cells)
    return table(header, body)


def name_of(row: RowNumbers) -> str:
    """A row in words: "Table 3: + L_e"."""
    if row.is_baseline:
        return "Baseline"
    keys = [METHOD_WORDS.get(str(v), str(v)) for k, v in row.paper.items() if k != "table"]
    if set(row.paper) >= {"selection", "size"}:
        return "-".join(keys)
    if row.paper.get("table") == 3:
        return f"HSS-50k {keys[0]}"
    return " ".join(reversed(keys))


def here(row: RowNumbers) -> str:
    """The row's data in miniature."""
    return row.subset.upper() if row.subset else ""


def gained(row: RowNumbers, words: Number) -> str:
    """Something of the gain; "not run", or empty for a baseline."""
    if row.is_baseline:
        return ""
    return NOT_RUN if row.gain is None else words(row.gain)


def tested(row: RowNumbers) -> list[str]:
    """The adjusted p-value and the number of seeds."""
    return [gained(row, lambda gain: p_value(gain.p_holm)), seeds_of(row.seeds)]


def _relative(row: RowNumbers, random: RowNumbers) -> str:
    def words(gain: Gain) -> str:
        other = random.gain
        if row is random or other is None or gain.relative is None or other.relative is None:
            return _ratio(gain)
        over = change(gain.relative.effect - other.relative.effect, 0)
        return f"{_ratio(gain)} ({over})"

    return gained(row, words)


def _ratio(gain: Gain) -> str:
    return "baseline is 0" if gain.relative is None else change(gain.relative.effect, 0)


def _two_levels(row: RowNumbers) -> str:
    if not row.shares:
        return NOT_RUN
    return f"{percent(row.shares['strongly_known'])} + {percent(row.shares['known'])}"


def _brackets(first: str, second: str) -> str:
    return f"{first} ({second})" if second else first
