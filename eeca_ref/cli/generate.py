"""`eeca generate`."""

from __future__ import annotations

from pathlib import Path

import click

from eeca_ref.cli._errors import user_errors


@click.command()
@click.argument("model", metavar="DIR|HUB_ID")
@click.option(
    "--image",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A photograph.",
)
@click.option("--question", help="What is asked.  [default: the first of the dataset's]")
@click.option(
    "--id",
    "key",
    help="The question's id in the dataset: keys the sampling.  [default: of image and question]",
)
@click.option("--draws", default=5, show_default=True, type=click.IntRange(min=1), help="Answers.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--temperature", default=0.7, show_default=True, type=click.FloatRange(min=0))
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--max-new-tokens", default=256, show_default=True, type=click.IntRange(min=1))
@click.option("--device", help="cpu, cuda, cuda:1.  [default: a GPU if there is one]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a draw, a line each.")
@user_errors
def generate(
    model: str,
    image: Path,
    question: str | None,
    key: str | None,
    draws: int,
    seed: int,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    device: str | None,
    as_json: bool,
) -> None:
    """Ask a trained model about an image.

    \b
    eeca generate runs/stage3 --image photo.jpg
    eeca generate runs/stage3 --image photo.jpg --question "Which lake is this?" --draws 1

    With a record's id, question and image these are the answers of
    `mgld answer --model eeca:DIR` with the same seed and decoding.
    """
    from eeca_ref.cli._quiet import quiet_transformers

    quiet_transformers()
    from eeca_ref.generation import answers
    from mgld.evaluate.records import Decoding

    made = answers(
        model,
        image,
        question,
        key=key,
        draws=draws,
        seed=seed,
        decoding=Decoding(temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens),
        device=device,
    )
    for each in made:
        if as_json:
            click.echo(each.model_dump_json())
        else:
            click.echo(f"{each.draw + 1}. {each.text}" if draws > 1 else each.text)
