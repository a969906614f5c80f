"""`standin:` a stand-in for a vision-language model: for demos and tests, of no interest in itself.

It is a vision encoder and a few sentences. Shown an image, it has that and the dataset's list of
names, nothing of the ground truth: it compares the image with all names, as the encoder's softmax
does, draws one, and says it the more plainly the more probable it is. So it knows what its encoder
knows. Asked without an image, it has read the answers of the dataset's training records, as a
language model has read about the world, and tells what it read of the name in the question; of a
test record it knows nothing there. `standin:` uses the shipped encoder, `standin:SPEC` another one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mgld.evaluate.models.base import Asked, ModelOptions, OnAnswer
from mgld.evaluate.models.sampling import uniforms

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SURE, PERHAPS, VAGUE = 0.3, 0.05, 0.3
"""From which probability of a name it says it, says it as a guess, and from which sum over the
names of one place or kind it says that much."""
KIND_SHARE = 0.01
"""A word in this share of all names is taken for a kind ("Bridge")."""
DEFAULT_SCALE = 100.0
_IN_BRACKETS = re.compile(r"\(([^()]+)\)\s*$")
_WORD = re.compile(r"[^\W\d_]{4,}")


class StandinModel:
    """The stand-in; see `Model`."""

    def __init__(self, encoder: str, options: ModelOptions) -> None:
        self._spec, self._options = encoder or "nano", options
        self._encoder: Any = None
        self._names: list[str] = []
        self._places: list[str | None] = []
        self._kinds: list[list[str]] = []
        self._read: dict[str, str] | None = None
        self._name_vectors_ND: NDArray[np.float32] | None = None

    @property
    def id(self) -> str:
        """`standin:` and its encoder."""
        from mgld.vision.spec import public_encoder

        return f"standin:{public_encoder(self._spec)}"

    def identity(self) -> dict[str, Any]:
        """Its encoder's fingerprint."""
        return {"encoder_fingerprint": self._load().fingerprint}

    def answer(self, asked: Sequence[Asked], on_answer: OnAnswer) -> None:
        """See `Model`. Images go through the encoder in blocks of the run's fixed order."""
        size = self._options.batch_size
        for start in range(0, len(asked), size):
            block = asked[start : start + size]
            if any(each.draws for each in block):
                self._answer_block(block, on_answer)

    def _answer_block(self, block: Sequence[Asked], on_answer: OnAnswer) -> None:
        images: list[Image] = []
        seen: list[Asked] = []
        for each in block:
            try:
                image = _picture(each)
            except (OSError, ValueError) as error:
                why = str(error)
                for draw in each.draws:
                    on_answer(each.answer(draw, "", model=self.id, status="error", reason=why))
                continue
            if image is not None:
                images.append(image)
                seen.append(each)
                continue
            text = self._tell(each.text)
            for draw in each.draws:
                on_answer(each.answer(draw, text, model=self.id))
        if not seen:
            return
        for each, p_N in zip(seen, self._probabilities(images), strict=True):
            for draw, text in zip(each.draws, self._say(each, p_N), strict=True):
                on_answer(each.answer(draw, text, model=self.id, seed=each.draw_seed(draw)))

    def _say(self, asked: Asked, p_N: NDArray[np.float64]) -> list[str]:
        """Its draws: names with the probabilities at its temperature, in words."""
        temperature = asked.decoding.temperature
        order_N = np.argsort(-p_N, kind="stable")
        vague: str | None = None
        texts = []
        for draw in asked.draws:
            chosen = int(order_N[0])
            if temperature:
                weights_N = p_N[order_N] ** (1 / temperature)
                u = uniforms(asked.draw_seed(draw), 1)[0] * weights_N.sum()
                place = int(np.searchsorted(np.cumsum(weights_N), u, side="right"))
                chosen = int(order_N[min(place, len(order_N) - 1)])
            name = self._names[chosen]
            if p_N[chosen] >= SURE:
                texts.append(f"This is {name}.")
            elif p_N[chosen] >= PERHAPS:
                texts.append(f"I am not certain, but I think this is {name}.")
            else:
                vague = vague or self._say_vaguely(p_N)
                texts.append(vague)
        return texts

    def _say_vaguely(self, p_N: NDArray[np.float64]) -> str:
        """Of a picture whose name it does not know: its area, its kind, or nothing."""
        p = p_N.tolist()
        if place_name := _likeliest(zip(self._places, p, strict=True)):
            return f"I cannot name this landmark. It looks like the area of {place_name}."
        kind = _likeliest(
            (kind, q) for kinds, q in zip(self._kinds, p, strict=True) for kind in kinds
        )
        if kind:
            return f"I cannot name this landmark. It seems to be a {kind}."
        return "I do not know which landmark this is."

    def _tell(self, text: str) -> str:
        """What it has read of the landmark that a question names."""
        if self._read is None:
            import mgld

            columns = ["landmark_name", "conversation"]
            read: Any = mgld.load(self._options.source, "full", split="train", columns=columns)
            self._read = {row["landmark_name"]: row["conversation"][-1]["content"] for row in read}
        named = [name for name in self._read if name in text]
        return self._read[max(named, key=len)] if named else "I do not know this landmark."

    def _probabilities(self, images: Sequence[Image]) -> NDArray[np.float64]:
        """float64 [B, N]: softmax over all names at the encoder's own scale."""
        encoder = self._load()
        assert self._name_vectors_ND is not None
        sims_BN = encoder.encode_images(images) @ self._name_vectors_ND.T
        scale = getattr(encoder.model, "logit_scale", None)
        factor = DEFAULT_SCALE if scale is None else float(scale.detach().exp())
        logits_BN = sims_BN.astype(np.float64) * factor
        weights_BN = np.exp(logits_BN - logits_BN.max(1, keepdims=True))
        result: NDArray[np.float64] = weights_BN / weights_BN.sum(1, keepdims=True)
        return result

    def _load(self) -> Any:
        if self._encoder is None:
            import mgld
            from mgld.vision import load_encoder

            names: Any = mgld.load(self._options.source, "names", split="train")
            self._names = list(names["name"][:])
            self._places = [_place(name) for name in self._names]
            self._kinds = _kinds(self._names)
            encoder = load_encoder(self._spec, device=self._options.device)
            self._name_vectors_ND = encoder.encode_names(self._names)
            self._encoder = encoder
        return self._encoder


def _picture(asked: Asked) -> Image | None:
    from mgld.gldv2.decode import decode_image

    return decode_image(asked.read_image()).image if asked.read_image is not None else None


def _place(name: str) -> str | None:
    """What stands in brackets at a name's end, as Commons tells namesakes apart."""
    found = _IN_BRACKETS.search(name)
    return found[1] if found else None


def _kinds(names: Sequence[str]) -> list[list[str]]:
    """Of each name the words that many names have."""
    words = [{word.lower() for word in _WORD.findall(_IN_BRACKETS.sub("", n))} for n in names]
    counts = Counter(word for some in words for word in some)
    least = max(3, KIND_SHARE * len(names))
    return [sorted(word for word in some if counts[word] >= least) for some in words]


def _likeliest(pairs: Iterable[tuple[str | None, float]]) -> str | None:
    """The place or kind with the largest sum of probabilities, if that is large enough."""
    sums: dict[str, float] = {}
    for what, p in pairs:
        if what is not None:
            sums[what] = sums.get(what, 0.0) + float(p)
    return _best(sums)


def _best(sums: Mapping[str, float]) -> str | None:
    if not sums:
        return None
    best = min(sums, key=lambda what: (-sums[what], what))
    return best if sums[best] >= VAGUE else None
