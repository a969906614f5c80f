"""The text side of an encoder: names to token ids, and what is lost on the way."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mgld.vision.resolve import ResolvedEncoder

if TYPE_CHECKING:
    import torch

MAX_TOKENS_PER_CHARACTER = 1.5
"""Above this a name is spelt nearly byte by byte: the vocabulary hardly has its script."""

# open_clip's defaults, OpenAI's CLIP
DEFAULT_CONTEXT_LENGTH = 77
DEFAULT_VOCAB_SIZE = 49408


class NameTokenizer:
    """open_clip's tokenizer of one encoder.

    Attributes:
        context_length: tokens a text may have, the start and end markers included.
        tokenizer: open_clip's `SimpleTokenizer` or `HFTokenizer`.
        is_byte_bpe: whether it is the former, CLIP's lower-casing byte-level BPE.
    """

    def __init__(self, resolved: ResolvedEncoder) -> None:
        """Build the tokenizer from local files.

        Raises ValueError for a tokenizer that open_clip draws at random (`reduction_mask`): its
        vectors could not be made again.
        """
        from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

        text_cfg = resolved.model_cfg["text_cfg"]
        options: dict[str, Any] = dict(text_cfg.get("tokenizer_kwargs") or {})
        if options.get("reduction_mask"):
            raise ValueError(f"{resolved.spec}: reduction_mask makes token ids random")
        self.context_length: int = text_cfg.get("context_length", DEFAULT_CONTEXT_LENGTH)
        self.is_byte_bpe = resolved.tokenizer_folder is None
        self.tokenizer: Any
        if resolved.tokenizer_folder is not None:
            self.tokenizer = HFTokenizer(
                str(resolved.tokenizer_folder),
                context_length=self.context_length,
                tokenizer_mode=text_cfg.get("tokenizer_mode"),
                **options,
            )
        else:
            if resolved.merges is not None:
                options["bpe_path"] = str(resolved.merges)
            self.tokenizer = SimpleTokenizer(context_length=self.context_length, **options)

    def ids(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids, int64 [N, context_length], padded and truncated as the encoder was trained."""
        ids: torch.Tensor = self.tokenizer(list(texts))
        return ids

    def length(self, text: str) -> int:
        """Tokens of `text` before truncation, the start and end markers included."""
        if self.is_byte_bpe:
            return len(self.tokenizer.encode(text)) + 2
        cleaned = self.tokenizer.clean_fn(text)
        return len(self.tokenizer.tokenizer(cleaned)["input_ids"])

    def identity(self) -> str:
        """All that decides the token ids of a text, as canonical text for a fingerprint."""
        if not self.is_byte_bpe:
            serialized: str = self.tokenizer.tokenizer.backend_tokenizer.to_str()
            return serialized
        return json.dumps([" ".join(merge) for merge in self.tokenizer.bpe_ranks])

    def flag(self, name: str, text: str) -> str:
        """What the tokenizer does to `name` when it is put into a template as `text`.

        "truncated": `text` has more tokens than the context.

        "unfamiliar_script": the tokenizer hardly knows the script of the name. That is so where the
        name takes more than 1.5 tokens per character (blanks and markers not counted); and, for
        CLIP's byte-level BPE, which learnt English text, where more than half of the name's letters
        are not Latin. Digits and punctuation are letters of no script.
        """
        flags = []
        if self.length(text) > self.context_length:
            flags.append("truncated")
        characters = len("".join(name.split()))
        tokens = self.length(name) - 2
        spelt_out = tokens > MAX_TOKENS_PER_CHARACTER * characters
        if spelt_out or (self.is_byte_bpe and non_latin_share(name) > 0.5):
            flags.append("unfamiliar_script")
        return "+".join(flags)


def non_latin_share(name: str) -> float:
    """Share of the letters of `name` (Unicode categories L*) outside the Latin script; 0 if none.

    Combining marks are not letters, so that decomposed accents count as Latin.
    """
    letters = [
        char
        for char in unicodedata.normalize("NFKC", name)
        if unicodedata.category(char).startswith("L")
    ]
    if not letters:
        return 0.0
    foreign = sum(not unicodedata.name(char, "").startswith("LATIN") for char in letters)
    return foreign / len(letters)
