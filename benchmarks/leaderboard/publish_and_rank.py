"""From a build to the leaderboard, offline: `make ranked`.

python -m benchmarks.leaderboard.publish_and_rank [--folder .] [--landmarks N]

Runs, one after the other, the commands that publishers, submitters and maintainers type (each is
shown before it runs). The Hub is the loopback one of the tests, in this process; everything else is
the real thing. The demo's build is pushed, checked and loaded back; two models (stand-ins: the
`nano` encoder and a few sentences, at two temperatures) answer its questions as the Hub gives them
and are graded; each is handed in as a pull request, verified from there, merged and recorded; the
site of both is made. Its pages give each bundle's id and no link: --bundles-url takes https://
alone, which the loopback Hub is not. The demo stays in `FOLDER/out/demo`, where `make demo` puts it
too; the rest is made anew in `FOLDER/out/ranked`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.steps import Command, run

HUB = Path(__file__).resolve().parents[2] / "tests" / "hub"
DEMO, OUT = "out/demo", "out/ranked"
DATASET, SUBMISSIONS, TAG = "me/mgld-demo", "me/submissions", "v1.0.0"
LOADED = (
    "from datasets import load_dataset; "
    f"rows = load_dataset('{DATASET}', 'eval', split='test', revision='{TAG}'); "
    "print(rows); print(rows[0]['question'], '->', rows[0]['landmark_name'])"
)


@dataclass(frozen=True)
class Entrant:
    """A model that is handed in: its folder's name, the board's name of it, its temperature."""

    folder: str
    name: str
    temperature: str

    @property
    def repo(self) -> str:
        """Its repository of models on the Hub."""
        return f"me/stand-in-{self.folder}"


ENTRANTS = (
    Entrant("steady", "Stand-in, temperature 0.7", "0.7"),
    Entrant("wavering", "Stand-in, temperature 2", "2"),
)


def commands(
    folder: Path, landmarks: int | None, entrants: Sequence[Entrant] = ENTRANTS
) -> Iterator[Command]:
    """All steps in order; run each before the next is asked for."""
    size = () if landmarks is None else ("--landmarks", str(landmarks))
    yield Command("demo", ("mgld", "demo", "--out", DEMO, *size))
    yield Command("push", ("mgld", "push", DEMO, DATASET, "--revision-tag", TAG))
    yield Command("verify the dataset", ("mgld", "verify", DATASET, "--revision", TAG))
    yield Command("load", ("python", "-c", LOADED))
    yield Command(
        "submissions", ("hf", "repos", "create", SUBMISSIONS, "--type", "dataset", "--exist-ok")
    )
    for number, entrant in enumerate(entrants, start=1):
        yield from _hand_in(entrant)
        yield from _take_in(folder, entrant, number)
    yield Command(
        "site",
        ("mgld", "leaderboard", "build", "--records", f"{OUT}/records", "--out", f"{OUT}/site"),
    )


def _hand_in(entrant: Entrant) -> Iterator[Command]:
    """What a submitter does."""
    answers, bundle = f"{OUT}/{entrant.folder}", f"{OUT}/{entrant.folder}-bundle"
    asked = ("--model", "standin:", "--temperature", entrant.temperature)
    data = ("--data", DATASET, "--revision", TAG)
    judged = ("--judge", "rule")
    about = ("--submitter", "The MGLD authors", "--name", entrant.name)
    # No --model-revision: the repository is empty. The encoder's fingerprint says what answered.
    about += ("--model-repo", entrant.repo)
    about += ("--notes", "No vision-language model: it phrases what the nano encoder sees")
    said = [
        ("model", "hf", "repos", "create", entrant.repo, "--exist-ok"),
        ("answer", "mgld", "answer", *asked, *data, "--out", answers),
        ("grade", "mgld", "grade", answers, *judged),
        ("prepare", "mgld", "submit", "prepare", answers, *judged, "--out", bundle, *about),
        ("validate", "mgld", "submit", "validate", bundle),
        ("hand in", "mgld", "submit", "push", bundle, "--to", SUBMISSIONS),
    ]
    for name, *words in said:
        yield Command(f"{name} ({entrant.folder})", tuple(words))


def _take_in(folder: Path, entrant: Entrant, number: int) -> Iterator[Command]:
    """What a maintainer does with pull request `number`, from nothing but what is on the Hub."""
    pulled = f"{OUT}/pull-{number}"
    where = ("--type", "dataset", "--revision", f"refs/pr/{number}", "--local-dir", pulled)
    yield Command(f"fetch ({entrant.folder})", ("hf", "download", SUBMISSIONS, *where))
    # The pull request's branch has what was merged before, too; its own is the new one.
    (bundle,) = [
        path.relative_to(folder).as_posix()
        for path in (folder / pulled / "submissions").iterdir()
        if entrant.name in (path / "submission.yaml").read_text(encoding="utf-8")
    ]
    data = ("--data", DATASET, "--revision", TAG, "--judge", "rule")
    records = ("--records", f"{OUT}/records", "--accept")
    yield Command(
        f"verify ({entrant.folder})", ("mgld", "submit", "verify", bundle, *data, *records)
    )
    merged = ("hf", "discussions", "merge", SUBMISSIONS, str(number), "--type", "dataset", "--yes")
    yield Command(f"merge ({entrant.folder})", merged)


def publish_and_rank(
    folder: Path, landmarks: int | None = None, entrants: Sequence[Entrant] = ENTRANTS
) -> dict[str, float]:
    """Do all of it in `folder`; seconds of each step. SystemExit where a step fails."""
    sys.path.insert(0, str(HUB))
    from hub_server import HubServer

    shutil.rmtree(folder / OUT, ignore_errors=True)
    (folder / OUT).mkdir(parents=True)
    with HubServer() as hub:
        env = hub.env(folder / OUT / "hf-home")
        return run(folder, commands(folder, landmarks, entrants), env=env)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(), help="where out/ is made")
    parser.add_argument("--landmarks", type=int, help="size of the demo's world")
    given = parser.parse_args()
    seconds = publish_and_rank(given.folder.resolve(), given.landmarks)
    print(f"\n{sum(seconds.values()) / 60:.1f} minutes")
    print(f"the leaderboard: {OUT}/site/index.html  (open it in a browser)")


if __name__ == "__main__":
    main()
