"""The text of RESULTS.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.nano.data import WORLD_SEED
from benchmarks.nano.record import TestLandmark
from benchmarks.nano.report import page_conclusions as conclusions_page
from benchmarks.nano.report import page_tables as tables_page
from benchmarks.nano.report.contents import Contents
from benchmarks.nano.report.page_data import data_section
from benchmarks.nano.report.page_sections import (
    machines_section,
    pictures_of,
    probe_section,
    probes_line,
    reading_section,
    sizes_line,
    study_section,
    tokens_line,
    validation_section,
    weights_line,
)
from benchmarks.nano.report.page_swap import swap_section
from benchmarks.nano.report.page_times import times_section
from benchmarks.nano.report.verdicts import Conclusion
from benchmarks.nano.report.words import details, mean_of
from mgld.world.curriculum import taught_views
from mgld.world.landmark import make_landmark


def render(contents: Contents) -> str:
    """The page as Markdown."""
    runs, tables = contents.runs, contents.tables
    counts = {scope: int(runs.scope(scope).sum()) for scope in ("known", "rare", "unknown")}
    sections = [
        _head(contents),
        "## Table 1: which data\n\n"
        "Gain over the baseline by selection and size; in brackets: how much more than BRS. 300 "
        "records stand for the paper's 25k, 600 for 50k.\n\n"
        + tables_page.table_1(tables[1])
        + tables_page.on_unknown(runs, [tables[3][0], *tables[1]]),
        "## Table 3: EECA's parts\n\nEach row adds to the one above. "
        + weights_line()
        + "\n\n"
        + tables_page.table_3(runs, tables[3]),
        _conclusions(contents),
        "## Table 2: entities in the question\n\n" + tables_page.table_2(tables[2]),
        "## Table 4: EECA on three selections\n\n" + tables_page.table_4(tables[4]),
        f"## Figure 5: accuracy against data size\n\n{sizes_line(contents.points[5])}\n\n"
        + pictures_of(contents, "5"),
        f"## Figure 7: robustness\n\n{tokens_line(contents.points[7])}\n\n"
        + pictures_of(contents, "7"),
        "## What the encoder knew\n\n"
        "The same rows over test landmarks whose names' colours the encoder was taught sometimes "
        "or often (VE-Known), rarely, and never (VE-Unknown). What it can tell apart is more than "
        f"that: {probes_line()}\n\n"
        + pictures_of(contents, "curve")
        + "\n\n"
        + tables_page.by_knowledge([*tables[1], *tables[3]], counts)
        + "\n\n"
        + details(
            "The same for Table 4",
            tables_page.by_knowledge([row for row in tables[4] if not row.is_baseline], counts),
        ),
        "## What the language model has read\n\n" + reading_section(),
        "## Figure 1: described from the name, not recognised in the image\n\n"
        + probe_section(contents),
        "## Swap control\n\n" + swap_section(contents),
        "## Figures 3, 4, 8, 9 and 15: what the data is like\n\n"
        + data_section(contents.measured, contents.pictures.get("data", []))
        + _remark(contents, "figure3"),
        "## How well scores find what the encoder was taught\n\n"
        + study_section(contents)
        + _remark(contents, "knowledge"),
        "## What counts as recognised\n\n"
        "The judge wants the landmark's proper name, and refuses it beside another kind or place "
        "in the name; what an answer goes on to say is not judged. Stricter, by the world's own "
        "facts: an answer must also say the right kind.\n\n"
        + tables_page.exactness([*tables[1], *tables[3]]),
        "## Levels\n\n"
        "Answers are cut after 48 tokens. The place is the last thing that answers in the form of "
        "the records say, so it is often cut off: between weakly unknown and unknown, rows do not "
        "compare.\n\n"
        + "\n\n".join(
            f"Table {number}\n\n{tables_page.levels(rows)}" for number, rows in tables.items()
        ),
        "## Settings\n\n"
        "Chosen on a validation set of as many other landmarks, of which no row above was asked. "
        "Two choices began with a look at the test set: that stage 2 names fewer landmarks, and "
        "that mu_e and mu_h are smaller ([docs/training.md](../../docs/training.md#nano)).\n\n"
        + (validation_section(contents.validation) if contents.validation else "None recorded."),
        _method(contents),
        times_section(runs.records),
        machines_section(runs.records),
    ]
    return "\n\n".join(sections) + "\n"


def _remark(contents: Contents, section: str) -> str:
    """What a person wrote about a section, as a paragraph."""
    text = contents.remarks.get(section)
    return "" if text is None else f"\n\n**Why that might be:** {text}"


def _head(contents: Contents) -> str:
    runs = contents.runs
    rows = [row for each in contents.tables.values() for row in each]
    done = sum(bool(row.seeds) for row in rows)
    marks = runs.landmarks()
    test = f"{len(marks):,} test landmarks" if marks else "no test landmarks yet"
    rest = "" if done == len(rows) else '; the others say "not run"'
    baseline = contents.tables[3][0].accuracy
    lines = [
        "# The paper in miniature",
        'What "Beyond Sight" (arXiv 2411.16824) reports, done again at a size that a laptop can '
        "do: a drawn world, an encoder that was taught one half of it, a small language model that "
        "has read about all of it and seen nothing, and this project's own pipeline, trainer and "
        "grader. So what the encoder was taught is a fact here, not an inference. Numbers of a "
        "miniature say whether an effect is there and which way it goes, not how large it is at "
        "full size.",
        "A landmark's proper name is three syllables, each of which stands for one colour in its "
        "picture: walls, roof and beacon in the western half of the world, forecourt, foliage and "
        "companion in the eastern one. The encoder was trained on western names alone"
        f"{_seen_by_the_encoder(marks)}. No picture of a test landmark is in the data of stages 1 "
        "to 3: a landmark is recognised by reading its colours and knowing what they are called. "
        "VE-Known are here test landmarks whose colours were taught sometimes or often, VE-Unknown "
        "those whose colours never were.",
        f"{done} of {len(rows)} rows of Tables 1 to 4 have been run ({_trainings(contents)}), on "
        f"{test}{rest}. Accuracy is strongly known + known, in percent, of five answers graded by "
        'the rule judge, which looks for the proper name; "here" is the miniature, and brackets '
        "after a number are its 95 % interval over seeds and landmarks (with one seed: over "
        "landmarks alone).",
        f"Baseline (before the landmark data): {mean_of(baseline)} % here, 8.68 % in the paper.",
        conclusions_page.headline(contents.conclusions),
    ]
    if "summary" in contents.remarks:
        lines.append(f"**In short:** {contents.remarks['summary']}")
    return "\n\n".join(lines)


def _seen_by_the_encoder(marks: Sequence[TestLandmark]) -> str:
    """Of how many test landmarks the encoder was shown pictures, as CLIP was of real ones."""
    shown = sum(taught_views(make_landmark(WORLD_SEED, mark.landmark_id)) > 0 for mark in marks)
    return f", and was shown other pictures of {shown} of the test landmarks, with their names"


def _trainings(contents: Contents) -> str:
    """How many trainings the tables' rows are, as several rows are often one, and their seeds."""
    rows = [row for each in contents.tables.values() for row in each if row.seeds]
    trained = {
        record.row.partition("+")[0]
        for row in rows
        for record in contents.runs.of(row.experiment).values()
        if record.subset
    }
    fewest, most = (each(len(row.seeds) for row in rows) for each in (min, max)) if rows else (0, 0)
    seeds = str(most) if fewest == most else f"{fewest} to {most}"
    return f"{len(trained)} trainings of stage 3, each with {seeds} seeds"


def _conclusions(contents: Contents) -> str:
    found = contents.conclusions
    parts = [
        "## Conclusions",
        "Differences of accuracy in points; of several comparisons the mean, unless each must hold "
        "and is shown. The paper's intervals are ours, from its counts, as if each row had been "
        "asked different questions, and of one training each.",
        conclusions_page.conclusions_table(found),
        "A verdict is what the interval here says by a rule that was written down before; three "
        "claims were made stricter after the first rows of one seed, the swap once more before "
        "its eastern rows ([which, and why](report/claims.py)):",
        conclusions_page.rules(),
        "Otherwise: undecided in miniature, as it is with fewer than three seeds. Where each of "
        "several comparisons must hold, one that does not counts against the claim only if it does "
        "not on an interval widened for their number (Bonferroni). Intervals are not widened for "
        "the number of claims. " + _by_the_same_rule(found),
        conclusions_page.parts_table(found),
        "### Why that might be",
        conclusions_page.remarks_list(found, contents.remarks) or "Nothing is written yet.",
    ]
    return "\n\n".join(parts)


def _by_the_same_rule(found: Sequence[Conclusion]) -> str:
    printed = [part.paper for each in found for part in each.shown if part.paper]
    kept = sum(paper.verdict == "reproduced" for paper in printed)
    return (
        f"By the same rules the paper's own printed numbers bear out at least {kept} of the "
        f"{len(printed)} comparisons above that they are printed for: their intervals, for want of "
        "its answers, are not paired, and wider for it than those here."
    )


def _method(contents: Contents) -> str:
    return f"""## How the numbers are made

- **Gain**: a row's accuracy less that of its own seed's baseline, on the same landmarks.
- **Interval**: 95 %, for new seeds and new landmarks both ([effects.py](report/effects.py)):
  two-way clustered variance, Student's t with Satterthwaite's degrees of freedom. As a check, a
  two-way bootstrap is in [conclusions.json](conclusions.json).
  {conclusions_page.disagreements(contents.conclusions)} With one seed an interval is over landmarks
  alone. All seeds share one world, one encoder, one language model and one draw of each subset
  (BRS is one random subset, not many): what another of those would change is in no interval.
- **p**: exact paired permutation test over landmarks of the models at hand, all seeds together (a
  landmark's differences change sign together), adjusted by Holm's method over a table's rows (not
  in the list of each comparison). In Tables 1 to 4 it is of the gain over the baseline. It
  says that these models differ, the interval whether others would: where they disagree, the
  interval counts.
- **Relative gain**: as in the paper's Table 1, mean accuracy over mean baseline less 1.
- The numbers of claims, tables, figures and rules are in conclusions.json, those of scores in
  [knowledge.json](results/knowledge.json); every row is a file in [results](results) with the
  levels of each landmark and the manifest of its training."""
