"""The ``mgld`` command. Commands live one group a file and hold no logic of their own.

A command's module is imported when the command is asked for, so `mgld --help` stays instant.
"""

from __future__ import annotations

import click

import mgld
from mgld.cli._lazy import LazyGroup

# command name -> ("module:attribute", one-line help). The help stands here so that listing the
# commands imports none of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": (
        "mgld.cli.demo:demo",
        "World -> build -> subsets -> answers -> report, offline.",
    ),
    "fetch": ("mgld.cli.fetch:fetch", "Download Google Landmarks v2: metadata and image archives."),
    "world": ("mgld.cli.world:world", "Write a procedural stand-in for Google Landmarks v2."),
    "build": ("mgld.cli.build:build", "Build the dataset from a source folder or a world."),
    "plan": ("mgld.cli.plan:plan", "What a model's answers will cost, before anything is sent."),
    "annotate": ("mgld.cli.annotate:annotate", "Ask a model in batches: submit, poll, collect."),
    "status": (
        "mgld.cli.build:status",
        "Show what a build has done and what is missing.",
    ),
    "verify": ("mgld.cli.build:verify", "Check every hash of a build or of a dataset on the Hub."),
    "subset": ("mgld.cli.score:subset", "Cut an HDS, HSS, LCS or BRS subset of any size."),
    "score": ("mgld.cli.score:score", "Sim and RSR of any dataset with any encoder."),
    "nearest": ("mgld.cli.nearest:nearest", "The names that an image or a text is nearest to."),
    "encoder": ("mgld.cli.encoder:encoder", "Inspect, fetch and export vision encoders."),
    "answer": ("mgld.cli.answer:answer", "Have a model answer the test questions five times."),
    "grade": ("mgld.cli.grade:grade", "Judge a run's answers: levels, metrics, intervals."),
    "judge": ("mgld.cli.judge:judge", "Hold judges against people's labels; make labels."),
    "compare": ("mgld.cli.compare:compare", "Runs against each other: paired tests and effects."),
    "probe": ("mgld.cli.probe:probe", "What a model can tell of a landmark but not see."),
    "submit": ("mgld.cli.submit:submit", "Make, check and hand in leaderboard submissions."),
    "leaderboard": (
        "mgld.cli.leaderboard:leaderboard",
        "The accepted submissions as a static site.",
    ),
    "export": ("mgld.cli.export:export", "Graded runs in formats that others share."),
    "push": ("mgld.cli.push:push", "Publish a build on the Hub, whole or not at all."),
    "report": ("mgld.cli.report:report", "Render the HTML report of a build or a graded run."),
    "figures": (
        "mgld.cli.figures:figures",
        "Every figure of a build or a graded run: SVG, PNG, CSV.",
    ),
}


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(mgld.__version__, prog_name="mgld")
def main() -> None:
    """MGLD: does seeing always mean knowing?

    Builds the Multi-Granularity Landmark Dataset from Google Landmarks v2, scores how well a vision
    encoder knows each image, and cuts the subsets. Exit codes: 0 done, 1 failed, 2 wrong usage.
    """
    import atexit

    from mgld.cli._exit import let_arrow_settle

    atexit.register(let_arrow_settle)
