"""`mgld judge`: hold judges against labels, and make labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mgld.cli._errors import user_errors
from mgld.cli._judge_options import judge_of, judge_options
from mgld.cli.judge_compare import compare

if TYPE_CHECKING:
    pass

_BUILTIN = "builtin"


@click.group()
def judge() -> None:
    """Hold judges against labels, and make labels.

    \b
    mgld judge calibrate --judge rule
    mgld judge label runs/a --out labels.html
    mgld judge calibrate --judge rule --labels labels-ada.csv --run runs/a
    """


@judge.command()
@judge_options
@click.option(
    "--labels",
    default=_BUILTIN,
    show_default=True,
    help="CSV with question_id, level and, where wanted, labeller and note; or the built-in set, "
    "whose labels are ours.",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run that the CSV is about.  [default: the built-in set's answers]",
)
@click.option(
    "--card", type=click.Path(path_type=Path, dir_okay=False), help="Write a judge card here."
)
@click.option(
    "--attacks",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="For the card: try every attack on so many landmarks of the built-in set.",
)
@click.option(
    "--top",
    default=10,
    show_default=True,
    type=click.IntRange(min=0),
    help="Worst disagreements to list.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def calibrate(
    spec: str,
    labels: str,
    run: Path | None,
    card: Path | None,
    attacks: int,
    top: int,
    as_json: bool,
    ledger: Path,
    no_temperature: bool,
    **options: Any,
) -> None:
    """Let a judge judge what is labelled: confusion, kappas with intervals, where it is weak.

    A CSV may have several people's labels; then theirs are held against each other, too, and the
    judge against what most of them said.
    """
    if run is not None and labels == _BUILTIN:
        raise click.UsageError("--run goes with --labels CSV")
    if attacks and card is None:
        raise click.UsageError("--attacks goes with --card; `mgld judge attack` shows them alone")
    from mgld.cli._judge_text import show_calibration
    from mgld.evaluate.calibrate import calibrate as hold_against
    from mgld.evaluate.grading import read_cases

    cases = None if run is None else read_cases(run)
    loaded = judge_of(spec, ledger, no_temperature, options)
    found = hold_against(loaded, labels, cases=cases)
    if card is not None:
        from mgld.evaluate.attacked import attack_judge
        from mgld.evaluate.judge_card import card_text
        from mgld.files import write_text_atomically

        attacked = attack_judge(loaded, attacks) if attacks else None
        write_text_atomically(card, card_text(found, attacked))
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        show_calibration(found, top)
        if card is not None:
            click.echo(f"card: {card}")


@judge.command()
@judge_options
@click.option(
    "--questions",
    default=10,
    show_default=True,
    type=click.IntRange(min=1),
    help="Landmarks of the built-in set to try them on; each takes some hundred verdicts.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def attack(
    spec: str, questions: int, as_json: bool, ledger: Path, no_temperature: bool, **options: Any
) -> None:
    """Try every known attack on a judge: answers that speak to it, fake verdicts, and so on.

    Prints the share that gets a better verdict than the same answers without the attack, and what a
    model that always says the same scores. Both should be 0.
    """
    from mgld.cli._judge_text import show_attacks
    from mgld.evaluate.attacked import attack_judge

    found = attack_judge(judge_of(spec, ledger, no_temperature, options), questions)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        show_attacks(found)


@judge.command()
@click.argument("what", metavar="RUN|builtin")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page: one HTML file.",
)
@click.option(
    "--limit",
    default=200,
    show_default=True,
    type=click.IntRange(min=1),
    help="Questions at most, drawn by --seed.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@user_errors
def label(what: str, out: Path, limit: int, seed: int) -> None:
    """Write a page on which a person labels answers with four keys.

    Of a RUN, a folder that `mgld answer` made, or of the built-in set. The page needs nothing else,
    keeps labels in the browser and saves them as a CSV for `mgld judge calibrate --labels`.
    """
    from mgld.evaluate import labelling

    read_image = None
    if what == _BUILTIN:
        every, name = labelling.builtin_cases(), "The built-in calibration set"
    else:
        from mgld.evaluate.grading import read_cases

        every, name = read_cases(Path(what)), Path(what).resolve().name
        read_image = labelling.run_images(Path(what))
    cases = labelling.choose_cases(every, limit, seed=seed)
    of = f" of {len(every):,}" if len(cases) < len(every) else ""
    title = f"{name}: {len(cases):,}{of} questions"
    labelling.write_labelling_page(cases, out, title=title, read_image=read_image)
    click.echo(f"{out}: {len(cases):,} questions; open it in a browser")


judge.add_command(compare)
