"""One training sample as text, and what a source of samples is. No tokens and no pixels here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

IMAGE_TOKEN = "<image>"
"""What stands in a text for the visual tokens: one special token of the tokenizer."""

Speaker = Literal["system", "user", "assistant"]


class SampleError(ValueError):
    """A sample that cannot be trained on: `status` is a word to count by, `reason` a sentence."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason

    def __reduce__(self) -> tuple[type[SampleError], tuple[str, str]]:
        return type(self), (self.status, self.reason)


@dataclass(frozen=True)
class Turn:
    """What one speaker says. `IMAGE_TOKEN` in it is the image's place."""

    role: Speaker
    content: str


@dataclass(frozen=True)
class Sample:
    """A conversation about at most one image.

    `image`: what the source's `read_image` takes; None: a text-only sample. `entities`, `label`:
    those of the paper, section 4; empty and None where the source has none.
    """

    id: str
    turns: tuple[Turn, ...]
    image: str | None = None
    entities: tuple[str, ...] = ()
    label: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A row that gives no sample: counted by `status`, never replaced by another row."""

    id: str
    status: str
    reason: str


class Source(Protocol):
    """Rows in a fixed order. It crosses to worker processes, so it must pickle."""

    def fingerprint(self) -> str:
        """A string that differs where the rows' texts differ."""
        ...

    def rows(self, start: int = 0) -> Iterator[Sample | Skipped]:
        """The rows from number `start` on; one item for every row of the file."""
        ...

    def has_image(self, image: str) -> bool:
        """Whether the image is there, without decoding it."""
        ...

    def read_image(self, image: str) -> bytes:
        """The image's bytes as stored. OSError: they are not there."""
        ...


def place_image(turns: Sequence[Turn], *, has_image: bool) -> tuple[Turn, ...]:
    """Contents without surrounding space, the image at the front of its turn plus a newline.

    This is LLaVA's arrangement. An image that no turn mentions goes to the first user turn, which
    is where a question about an image has it. Turns before the first user turn (system apart) and
    after the last answer are left out: nothing in them would be supervised.

    SampleError: no answer, several images, a placeholder without an image or in an answer, a text
    that is no Unicode (a half surrogate pair, which JSON can write).
    """
    if not all(_is_unicode(turn.content) for turn in turns):
        raise SampleError("bad_text", "half a surrogate pair")
    kept = _from_question_to_answer(turns)
    marked = [at for at, turn in enumerate(kept) if IMAGE_TOKEN in turn.content]
    if not has_image:
        if marked:
            raise SampleError("placeholder_without_image", f"{IMAGE_TOKEN} in a text-only row")
        return tuple(kept)
    if not marked:
        marked = [next(at for at, turn in enumerate(kept) if turn.role == "user")]
    if len(marked) > 1 or kept[marked[0]].content.count(IMAGE_TOKEN) > 1:
        raise SampleError("several_images", f"{IMAGE_TOKEN} stands in the row more than once")
    turn = kept[marked[0]]
    if turn.role != "user":
        raise SampleError("image_in_answer", f"{IMAGE_TOKEN} stands in what the {turn.role} says")
    text = turn.content.replace(IMAGE_TOKEN, "").strip()
    kept[marked[0]] = replace(turn, content=f"{IMAGE_TOKEN}\n{text}".strip())
    return tuple(kept)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _from_question_to_answer(turns: Sequence[Turn]) -> list[Turn]:
    stripped = [replace(turn, content=turn.content.strip()) for turn in turns]
    system = [turn for turn in stripped[:1] if turn.role == "system" and turn.content]
    rest = [turn for turn in stripped if turn.role != "system"]
    while rest and rest[0].role != "user":
        rest.pop(0)
    while rest and rest[-1].role != "assistant":
        rest.pop()
    if not rest:
        raise SampleError("no_answer", "no question with an answer after it")
    empty = next((turn.role for turn in rest if not turn.content), None)
    if empty is not None:
        raise SampleError("empty_turn", f"the {empty} says nothing")
    return system + rest
