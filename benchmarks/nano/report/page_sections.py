"""Sections of the page behind tables and conclusions: figures, controls, runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Final

from benchmarks.nano.record import RunRecord, share_recognised
from benchmarks.nano.report.contents import Contents
from benchmarks.nano.report.page_knowledge import render_study
from benchmarks.nano.report.page_rules import rules_section
from benchmarks.nano.report.rows import RowNumbers, common_seeds
from benchmarks.nano.report.words import details, percent, table
from benchmarks.nano.validating import ValidationRecord
from eeca_ref.nano.parts import LANGUAGE_MODEL
from eeca_ref.recipes.composing import compose, experiments
from mgld.vision.resolve import nano_folder
from mgld.world.lexicon import Half

CODES: Final[dict[Half, tuple[str, ...]]] = {
    "west": ("wall", "roof", "beacon"),
    "east": ("forecourt", "foliage", "companion"),
}
"""Whose colours the syllables of a name stand for (`mgld.world.lexicon`)."""


def pictures_of(contents: Contents, figure: str) -> str:
    """The pictures of one figure with links to PNG and data."""
    shown = contents.pictures.get(figure, [])
    if not shown:
        return "Not run."
    return "\n\n".join(
        f"![{each.alt}](figures/{each.name}.svg)\n\n"
        f"[PNG](figures/{each.name}.png), [data](figures/{each.name}.csv)"
        for each in shown
    )


def sizes_line(points: Sequence[RowNumbers]) -> str:
    """What stands for the paper's sizes, and what points are. points: of Figure 5."""
    sizes = [name.rpartition("_")[2] for name in _named("fig5_brs_")]
    config = [compose(f"nano/fig5_brs_{k}")["data"]["source"]["config"] for k in sizes]
    numbers = ", ".join(each.removeprefix("brs") for each in config)
    eeca = [compose(f"nano/{name}")["data"]["source"]["config"] for name in _named("fig5_eeca_")]
    return (
        f"Records of {numbers} stand for the paper's {', '.join(sizes)}. EECA was trained on "
        f"{' and '.join(each.upper() for each in eeca)}. {seeds_line(points)}"
    )


def seeds_line(points: Sequence[RowNumbers]) -> str:
    """What points and whiskers of a figure are over."""
    seeds = sorted(common_seeds(points))
    words = ", ".join(map(str, seeds))
    means = f"Points are means of the seeds that all of them have ({words})" if seeds else "Means"
    return f"{means}; whiskers are 95 % over seeds alone."


def tokens_line(points: Sequence[RowNumbers]) -> str:
    """What was varied, and what stands for the paper's numbers of tokens. points: of Figure 7."""
    tokens = [name.rpartition("_")[2] for name in _named("fig7_hr_tokens_")]
    queries = [
        str(compose(f"nano/fig7_hr_tokens_{n}")["model"]["settings"]["resampler_queries"])
        for n in tokens
    ]
    config = compose(f"nano/fig7_hr_tokens_{tokens[0]}")["data"]["source"]["config"]
    return (
        f"One setting of EECA on {config.upper()} changed at a time. {', '.join(queries)} queries "
        f"stand for the paper's {', '.join(tokens)} high-resolution tokens; the paper prints no "
        f"numbers, and the grid is ours. Values of mu_e are as for the paper's model; trained was "
        f"with 1/{_times():.0f} of them. {seeds_line(points)}"
    )


def weights_line() -> str:
    """The weights of L_e and L_h: the paper's, times what the preset makes of them."""
    own, paper = (_eeca(preset) for preset in ("nano", "paper"))
    return (
        f"Here mu_e is {own['mu_e']:.3f} and mu_h {own['mu_h']:.3f}, 1/{_times():.0f} of the "
        f"paper's {paper['mu_e']} and {paper['mu_h']}, with which it recognises half as much in a "
        "model this small: see Settings."
    )


def _eeca(preset: str) -> dict[str, float]:
    """The settings of the whole of EECA."""
    settings: dict[str, float] = compose(f"{preset}/table2_eeca")["model"]["settings"]
    return settings


def _times() -> float:
    """How much smaller the weights of L_e and L_h are than the paper's."""
    return _eeca("paper")["mu_e"] / _eeca("nano")["mu_e"]


def probes_line() -> str:
    """What a linear probe reads off the first encoder's patches, taught or not."""
    measured = json.loads((nano_folder() / "measurements.json").read_text(encoding="utf-8"))
    probes = measured["probes"]
    read = {code: percent(each["accuracy"], 0) for code, each in probes.items()}
    words = {
        half: ", ".join(f"{code} {read[f'{code} colour']}" for code in codes)
        for half, codes in CODES.items()
    }
    chance = [1 / probes[f"{code} colour"]["classes"] for code in CODES["east"]]
    return (
        "of colours that western names stand for, a linear probe of its patches reads "
        f"{words['west']} %, of eastern ones {words['east']} % (by chance "
        f"{percent(min(chance), 0)} to {percent(max(chance), 0)})."
    )


def _named(start: str) -> list[str]:
    return [each.name for each in experiments() if each.name.startswith(start)]


def study_section(contents: Contents) -> str:
    """The knowledge study, where it was made."""
    if contents.study is None:
        return "Not run: `python -m benchmarks.nano.knowledge BUILD` measures it."
    study = render_study(contents.study, pictures_of(contents, "knowledge"))
    return f"{study}\n\n{rules_section(contents.rules)}"


TOLD: Final = {
    "described": "described, by the probe's rule judge (kind or place)",
    "kind": "kind, said in a description",
    "place": "place, said in a description",
    "century": "century (by chance 17)",
    "builder": "builder (by chance 12)",
    "colour not in the name": "a colour that the name does not stand for (by chance 10)",
    "syllable 1 by the look": "first syllable of the name, from the look in words",
    "syllable 2 by the look": "second syllable",
    "syllable 3 by the look": "third syllable",
}


def reading_section() -> str:
    """What the language model can tell of landmarks by words alone, as its own record has it."""
    record = json.loads((LANGUAGE_MODEL / "training.json").read_text(encoding="utf-8"))
    body = [[words, percent(record["told"][name])] for name, words in TOLD.items()]
    return (
        f"It has {record['parameters'] / 1e6:.1f} million parameters and has read "
        f"{record['settings']['exposures']} texts on each landmark, those of the test too; it has "
        "seen none. What names imply it knows, as a real model does of a language's names; single "
        "facts it does not remember, so that to describe a landmark is easier here than to "
        "remember it.\n\n" + table(["told rightly by the most probable answer", "%"], body)
    )


def probe_section(contents: Contents) -> str:
    """The rate of misalignment of each probe and subset."""
    probes = contents.runs.probes
    if not probes:
        return "Not run."
    body = []
    for name, result in probes.items():
        for each in result.tables:
            described = each.described_recognised + each.described_not_recognised
            rate = "none described"
            if each.misalignment is not None and each.interval is not None:
                low, high = each.interval
                rate = f"{percent(each.misalignment)} ({percent(low)} to {percent(high)})"
            body.append([name, each.subset, str(each.questions), str(described), rate])
    header = ["model", "landmarks", "asked", "described", "of these not recognised, %"]
    return (
        "The paper shows one example; here is how often it happens. These models, trained to name "
        "pictures after the language model had read, and cut after 48 tokens, describe fewer than "
        "it does alone (see above); the rate is of those. Intervals are over landmarks.\n"
        f"\n{table(header, body)}\n\n" + pictures_of(contents, "1")
    )


def validation_section(records: Sequence[ValidationRecord]) -> str:
    """What settings were tried, and what they gave."""
    header = ["row", "seed", "set otherwise", "accuracy, %", "steps clipped, %", "L_g at the end"]
    return table(header, [validation_line(each) for each in records], text=["set otherwise"])


def validation_line(record: ValidationRecord) -> list[str]:
    """The cells of one of them."""
    return [
        record.row,
        str(record.seed),
        ", ".join(record.sets) or "nothing",
        percent(share_recognised(record.levels)),
        "" if record.clipped is None else percent(record.clipped, 0),
        "" if record.lm_loss is None else f"{record.lm_loss:.3f}",
    ]


def machines_section(records: Sequence[RunRecord]) -> str:
    """Which machine made what: every row's seeds by the number of their machine."""
    if not records:
        return "## Runs and machines\n\nNo run yet."
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        groups.setdefault(_machine(record), []).append(record)
    body, number = [], {}
    for k, (key, members) in enumerate(sorted(groups.items()), start=1):
        number[key] = str(k)
        dates = sorted({record.machine.date for record in members})
        when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        hours = sum(record.spent for record in members) / 3600
        body.append([str(k), *key[:-1], when, str(len(members)), f"{hours:.1f}", key[-1]])
    header = [
        "machine", "processor", "threads of a run", "date", "runs", "hours", "versions",
    ]  # fmt: skip
    return "\n\n".join(
        [
            "## Runs and machines",
            table(header, body, text=["processor", "versions"]),
            _commits(records),
            details(f"All {len(records)} runs", _listing(records, number)),
        ]
    )


def _commits(records: Sequence[RunRecord]) -> str:
    """From which code they were trained."""
    found = Counter(commit for record in records for commit in record.commits)
    if not found:
        return "Of no commit: the code was no checkout."
    words = ", ".join(f"{commit} ({found[commit]})" for commit in sorted(found))
    return (
        f"Commits of this project's code that trained them (how many runs): {words}. A + says that "
        "tracked files differed from the commit."
    )


def _machine(record: RunRecord) -> tuple[str, ...]:
    """Processor, threads, versions."""
    machine = record.machine
    versions = ", ".join(f"{name} {v}" for name, v in sorted(machine.versions.items()))
    return ", ".join(record.processor), str(machine.threads), versions


def _listing(records: Sequence[RunRecord], number: dict[tuple[str, ...], str]) -> str:
    """One line a row: which seeds on which machine, and how long one took."""
    rows: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        rows.setdefault((record.encoder, record.row), []).append(record)
    body = []
    for (encoder, name), members in rows.items():
        machines: dict[str, list[str]] = {}
        for each in members:
            machines.setdefault(number[_machine(each)], []).append(str(each.seed))
        seeds = "; ".join(
            f"{', '.join(machines[k])} on machine {k}" for k in sorted(machines, key=int)
        )
        seconds = sum(each.spent for each in members) / len(members)
        body.append([f"{encoder}: {name}", members[0].subset or "", seeds, f"{seconds:.0f}"])
    return table(
        ["encoder: row", "subset", "seeds", "seconds at work"],
        body,
        text=["subset", "seeds"],
    )
