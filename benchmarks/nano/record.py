"""What is kept of each row of the miniature: `benchmarks/nano/results/RUN.json`.

The report and everything it says is made from these files alone, so that whoever reads a number can
follow it to the levels of single landmarks and to the manifest of the training that made it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from mgld.evaluate.records import ProbeResult, State
from mgld.files import write_text_atomically
from mgld.schema import Record
from mgld.world.lexicon import Half

RESULTS = Path(__file__).parent / "results"
QUESTIONS_FILE = "questions.json"
KNOWN_TIERS = ("some", "often")
"""VE-Known: how often the encoder was taught the parts of a landmark's name."""
UNKNOWN_TIERS = ("never",)
"""VE-Unknown."""
LETTERS: dict[str, State] = {
    "S": "strongly_known",
    "K": "known",
    "W": "weakly_unknown",
    "U": "unknown",
    "-": "unscored",
}
DIGITS = 6
"""Of numbers in JSON: the last bits of a sum may differ from machine to machine."""


class TestLandmark(Record):
    """A landmark of the test, as one encoder sees it.

    Attributes:
        landmark_id, name, label: of its record; `half`: of the regions it lies in.
        tier, taught_code_views: what the encoder was really taught (`mgld.world.curriculum`).
        sim, rank, rsr, margin: of the test picture among all names of the build.
    """

    landmark_id: int
    name: str
    label: str
    half: Half
    tier: str
    taught_code_views: int
    sim: float
    rank: int
    rsr: float
    margin: float


class Questions(Record):
    """The test set, in the order of every run's `levels`; by encoder, as scores are an encoder's.

    Attributes:
        sha256: of the build's test questions, by encoder: which of a landmark's pictures is its
            record's is by the encoder's scores.
        names: candidates that ranks are among.
        landmarks: in order, by the half that the encoder was taught.
    """

    sha256: dict[Half, str]
    names: int
    landmarks: dict[Half, list[TestLandmark]]


class Machine(Record):
    """Where a run was made: architecture, device, cores used by it, day, versions of packages."""

    architecture: str
    device: str
    threads: int
    date: str
    versions: dict[str, str]


def share_recognised(levels: str) -> float:
    """Share of landmarks whose level is strongly known or known. levels: as in `RunRecord`."""
    return sum(letter in "SK" for letter in levels) / len(levels)


class RunRecord(Record):
    """One trained model, asked and graded.

    Attributes:
        row: name of the experiment in `eeca_ref/recipes/experiments.yaml` ("table1_hds_25k"), or
            "baseline" (stage 2).
        stands_for: all experiments that are this very training: rows of several tables are one run.
        seed: of the baseline it begins from, of its training and of its answers.
        encoder: the half that its vision encoder was taught.
        subset: config that it was trained on; None for a baseline.
        levels: one letter of `LETTERS` for each landmark of `Questions`, in that order.
        said: for each landmark, how many of the five answers identify it, a digit each.
        exact: of those, how many say its kind as well, a digit each.
        questions_sha256: of the test's questions that it was asked.
        binding: hash of all that the result depends on (recipe, weights it began from, questions).
        model: fingerprint of the weights that were asked.
        seconds: of training, and of answering with grading, in the process that wrote this; of what
            it found finished, none (`spent` has that).
        manifest: of the training (`eeca_ref.training.manifest`). earlier: of a baseline, stage 1's.
    """

    row: str
    stands_for: list[str]
    seed: int
    encoder: Half = "west"
    subset: str | None
    levels: str = Field(pattern=r"^[SKWU-]*$")
    said: str = Field(pattern=r"^[0-5]*$")
    exact: str = Field(pattern=r"^[0-5]*$")
    entity_prompt: str = "none"
    questions_sha256: str
    binding: str
    model: str
    seconds: dict[str, float]
    machine: Machine
    manifest: dict[str, Any]
    earlier: dict[str, Any] | None = None

    @property
    def accuracy(self) -> float:
        """Share of landmarks recognised."""
        return share_recognised(self.levels)

    @property
    def spent(self) -> float:
        """Seconds of its training's steps, by the manifests, and of answering: what was resumed is
        in it, starting and loading are not. A row that asks another one's model: of answering."""
        trained = [] if "+" in self.row else [self.manifest, self.earlier or {}]
        steps = sum(each.get("totals", {}).get("seconds", 0.0) for each in trained)
        return float(steps) + self.seconds.get("answer", 0.0)

    @property
    def baseline(self) -> str | None:
        """Fingerprint of the baseline's weights: of a row those that its training began from."""
        if self.subset is None:
            return self.model
        start: dict[str, Any] = self.manifest.get("models", {}).get("start") or {}
        return start.get("fingerprint")

    @property
    def commits(self) -> set[str]:
        """Of this project's code, from which it was trained; with a + where files differed."""
        sessions = [
            session
            for manifest in (self.manifest, self.earlier or {})
            for session in manifest.get("sessions", [])
        ]
        codes = [session["code"] for session in sessions if session["code"]["commit"]]
        return {code["commit"][:8] + ("+" if code["dirty"] else "") for code in codes}

    @property
    def processor(self) -> tuple[str, ...]:
        """What computed it: rounding, and with that the numbers, differ from one to another."""
        sessions = self.manifest.get("sessions", [])
        devices = {device for session in sessions for device in session["devices"]}
        return (self.machine.architecture, self.machine.device, *sorted(devices))

    @property
    def file(self) -> str:
        """Its file's name in the results' folder."""
        return f"{self.encoder}-seed{self.seed}-{self.row}.json"


class ProbeRecord(Record):
    """The misalignment probe of a row's model (`probing.probe_row`): `probe-HALF-seedN-ROW.json`.

    model: fingerprint of the weights, as in the row's own record.
    """

    row: str
    seed: int
    encoder: Half
    model: str
    result: ProbeResult

    @property
    def file(self) -> str:
        """Its file's name in the results' folder."""
        return f"probe-{self.encoder}-seed{self.seed}-{self.row}.json"


def write_record(record: RunRecord | ProbeRecord, folder: Path = RESULTS) -> Path:
    """Write a record where `read_records` finds it; the file."""
    path = folder / record.file
    write_text_atomically(path, record.model_dump_json(indent=1) + "\n")
    return path


def read_records(folder: Path = RESULTS) -> list[RunRecord]:
    """All records of a folder, by encoder, row and seed. ValueError: a file that is none."""
    found = [
        RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
        for half in ("west", "east")
        for path in sorted(folder.glob(f"{half}-seed*-*.json"))
    ]
    return sorted(found, key=lambda each: (each.encoder, each.row, each.seed))


def read_probes(folder: Path = RESULTS) -> list[ProbeRecord]:
    """All probes of a folder, by the name of their file. ValueError: a file that is none."""
    return [
        ProbeRecord.model_validate_json(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("probe-*.json"))
    ]


def read_questions(folder: Path = RESULTS) -> Questions:
    """The test set. FileNotFoundError: no run has written it yet."""
    return Questions.model_validate_json((folder / QUESTIONS_FILE).read_text(encoding="utf-8"))


def rounded(value: Any) -> Any:
    """Floats of JSON to `DIGITS`, never -0.0."""
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value
