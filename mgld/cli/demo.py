"""`mgld demo`: the main job end to end, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mgld.cli._errors import user_errors
from mgld.cli._workers import default_workers

if TYPE_CHECKING:
    from mgld.report.demo import DemoSummary


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out/demo"),
    show_default=True,
    help="Folder of the build and its report.",
)
@click.option("--landmarks", type=click.IntRange(min=1), help="Size of the world.  [default: 1000]")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Key of every draw.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes.  [default: cores, at most 8]"
)
@user_errors
def demo(out: Path, landmarks: int | None, seed: int, workers: int | None) -> None:
    """Build a small procedural world with the shipped encoder and show it: minutes, no network.

    A stand-in for a vision-language model then answers the test questions, is graded and probed.

    Run again it goes on where it was, or finds everything done.
    """
    from mgld.build.progress import shown_progress
    from mgld.report.demo import DEFAULT_LANDMARKS, run_demo

    with shown_progress() as progress:
        summary = run_demo(
            out,
            landmarks=landmarks or DEFAULT_LANDMARKS,
            seed=seed,
            workers=workers or default_workers(),
            progress=progress,
        )
    _show(out, summary)


def _show(out: Path, summary: DemoSummary) -> None:
    """The closing summary: where to look, what came out, how to load it."""
    minutes, seconds = divmod(round(summary.seconds), 60)
    lines = [
        ("report", f"{summary.report}  (open it in a browser)"),
        (
            "dataset",
            f"{summary.records:,} records of {summary.landmarks:,} landmarks chosen from "
            f"{summary.images:,} images; {summary.test:,} set aside as test",
        ),
        (
            "encoder",
            f"own name first for {100 * summary.first:.0f} % of the pictures "
            f"(chance {100 / summary.names:.2g} %), median rank {summary.median_rank:g} "
            f"of {summary.names:,}",
        ),
    ]
    if summary.auc is not None:
        lines.append(
            ("known", f"RSR tells often taught from never taught with an AUC of {summary.auc:.3f}")
        )
    evaluation = summary.evaluation
    if evaluation is not None:
        levels = ", ".join(f"{count:,} {level}" for level, count in evaluation.levels.items())
        lines += [
            (
                "model",
                f"{evaluation.model} (a stand-in: the encoder and a few sentences) recognises "
                f"{evaluation.recognised:,} of {evaluation.scored:,} test landmarks",
            ),
            ("levels", f"{levels}; judged by {evaluation.judge}"),
            ("answers", f"{evaluation.report}  (the report leads there)"),
        ]
    if summary.probe is not None:
        probe = summary.probe
        lines.append(
            (
                "probe",
                f"{probe.report}  ({probe.misaligned:,} of {probe.described:,} landmarks that it "
                "describes from their names it does not recognise)",
            )
        )
    lines += [
        ("load", f'mgld.load("{out.as_posix()}", "{summary.config_name}", split="train")'),
        ("time", f"{minutes} min {seconds:02d} s"),
    ]
    for label, text in lines:
        click.echo(f"{label:<9}{text}")
