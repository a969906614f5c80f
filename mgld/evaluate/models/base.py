"""What every model under test is, what it is asked, and how one is named on a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from mgld.evaluate.records import Answer, Decoding, Question
from mgld.keyed import order_key
from mgld.llm.settings import LlmSettings

ENTRY_POINTS = "mgld.models"
"""Entry-point group of models that other packages bring: name -> `factory(rest, options)`."""
BUILT_IN = ("openai", "hf", "file", "standin")
SEED_BITS = 31
"""Seeds are this long because some servers keep them in a signed 32-bit integer."""


@dataclass(frozen=True)
class Asked:
    """One question as it is put to a model.

    draws: those still wanted, ascending; () where all are there. of: how many draws the run makes.
    read_image: the original image file's bytes (OSError, ValueError with a reason), None where the
    question is put without an image. seed: the run's.
    """

    question: Question
    instructions: str
    text: str
    prompt_version: str
    decoding: Decoding
    draws: tuple[int, ...]
    of: int
    seed: int = 0
    read_image: Callable[[], bytes] | None = field(default=None, repr=False)

    def draw_seed(self, draw: int) -> int:
        """The seed of one draw: of (run's seed, question, draw) and nothing else."""
        key = order_key(self.seed, "answer", f"{self.question.id}\x1f{draw}")
        return key >> (64 - SEED_BITS)

    def answer(
        self,
        draw: int,
        text: str,
        *,
        model: str,
        status: str = "ok",
        reason: str = "",
        seed: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> Answer:
        """The row of one draw. What is no Unicode text in `text` becomes U+FFFD."""
        return Answer.model_validate(
            {
                "question_id": self.question.id,
                "draw": draw,
                "text": _unicode(text),
                "status": status,
                "reason": _unicode(reason),
                "model": model,
                "prompt_version": self.prompt_version,
                "decoding": self.decoding,
                "seed": seed,
                "details": details or {},
            }
        )


OnAnswer = Callable[[Answer], None]
"""Called once for each draw, as it comes, from the thread that called `answer`."""


class Model(Protocol):
    """A model under test."""

    @property
    def id(self) -> str:
        """As it is called in results, e.g. "openai:gpt-4.1-2025-04-14"."""
        ...

    def identity(self) -> dict[str, Any]:
        """What else says which model it is, such as a hash of its weights; may load it.

        A run whose model's identity has changed is not gone on with. JSON values.
        """
        ...

    def answer(self, asked: Sequence[Asked], on_answer: OnAnswer) -> None:
        """Make every draw that is wanted, in any order, each by one call of `on_answer`.

        `asked` is the whole run in its fixed order, with the questions that need nothing any more:
        a model whose arithmetic depends on what shares a batch cuts its batches from that. A draw
        that fails is an answer of status "error" or "refused". What stops the run is raised.
        """
        ...


@dataclass(frozen=True)
class ModelOptions:
    """What a command line says besides the model's name.

    folder: of the run. source: the dataset. device: torch's name, None for the model's own choice.
    batch_size: questions in one batch. llm: endpoint and limits. send_seed: send each draw's seed
    to an endpoint. retry_errors: do not answer from stored errors. ledger: the file of an
    endpoint's replies, within which its budget holds; None for one in the run's folder.
    """

    folder: Path
    source: str = ""
    device: str | None = None
    batch_size: int = 8
    llm: LlmSettings = field(default_factory=LlmSettings)
    send_seed: bool = False
    retry_errors: bool = False
    ledger: Path | None = None


def load_model(spec: str, options: ModelOptions) -> Model:
    """The model that `spec`, NAME:REST, names; it is loaded when it is first asked.

    openai:MODEL, hf:REPO_OR_DIR, file:ANSWERS.jsonl, standin:, or what an installed package brings
    under the entry-point group `mgld.models`. ValueError for a name that is none of them.
    """
    name, colon, rest = spec.partition(":")
    if name == "standin" or (colon and name in BUILT_IN):
        return _built_in(name, rest, options)
    brought = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if colon and name in brought:
        model: Model = brought[name].load()(rest, options)
        return model
    if name in BUILT_IN:
        raise ValueError(f"which one? write {name}:...")
    known = ", ".join(f"{each}:..." for each in (*BUILT_IN, *sorted(brought.keys() - {*BUILT_IN})))
    hint = "; eeca: comes with the package eeca_ref" if name == "eeca" else ""
    raise ValueError(f"no model is called {spec!r}; there are: {known}{hint}")


def _built_in(name: str, rest: str, options: ModelOptions) -> Model:
    # Imported here: each brings heavy packages of its own.
    if name == "openai":
        from mgld.evaluate.models.openai import OpenAiModel

        return OpenAiModel(rest, options)
    if name == "hf":
        from mgld.evaluate.models.hf import HfModel

        return HfModel(rest, options)
    if name == "file":
        from mgld.evaluate.models.file import FileModel

        return FileModel(rest)
    from mgld.evaluate.models.standin import StandinModel

    return StandinModel(rest, options)


def _unicode(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
