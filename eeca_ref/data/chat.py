"""Conversations to tokens by a tokenizer's own chat template, segment by segment.

Masking by tokenizing rounds again and counting is how labels slip by a token or vanish. Here the
template is rendered once per order of speakers with marks for contents; what stands between the
marks is the template's, what replaces them the speakers'. The segments are tokenized apart, and
the result must equal what `apply_chat_template` gives for the whole conversation, for every sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eeca_ref.data.samples import IMAGE_TOKEN, SampleError, Turn
from eeca_ref.data.tokens import Role, Tokens

CONTENT_ROLE = {"system": Role.SYSTEM, "user": Role.QUESTION, "assistant": Role.ANSWER}


@dataclass(frozen=True)
class _Segment:
    """A piece of the text that is tokenized by itself. `after_answer`: begins with the end token.

    `lead`: how much of the text is the template's, though it is tokenized with the content.
    """

    text: str
    role: Role
    after_answer: bool = False
    lead: str = ""

    @property
    def is_template(self) -> bool:
        return self.role is Role.TEMPLATE


class ChatFormat:
    """The chat template of a tokenizer.

    Supervised: the assistant's contents and the first special token after each (with what stands
    before it, in templates that put a space there), and what the template writes into an
    assistant's turn after its generation prompt, as a model must write that itself.

    `tokenizer`: a fast transformers tokenizer with a chat template and the special token `<image>`.
    ValueError: it lacks one of them, or its template contradicts itself (an answer that no special
    token ends, or that begins otherwise than the generation prompt).
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        if not getattr(tokenizer, "chat_template", None):
            raise ValueError(f"{_name(tokenizer)} has no chat template: use an Instruct model's")
        self.image_id = image_token_id(tokenizer)
        self._gaps: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {}
        self._template_ids: dict[str, list[int]] = {}
        self.encode((Turn("user", f"{IMAGE_TOKEN}\nWhat?"), Turn("assistant", "That.")) * 2)

    @cached_property
    def takes_system(self) -> bool:
        """Whether the template has a place for a system's text."""
        try:
            self._gaps_of(("system", "user", "assistant"))
        except SampleError:
            return False
        return True

    def encode(self, turns: Sequence[Turn]) -> Tokens:
        """Tokens of one conversation; see `encode_many`. Raises its SampleError."""
        (result,) = self.encode_many([turns])
        if isinstance(result, SampleError):
            raise result
        return result

    def encode_many(self, conversations: Sequence[Sequence[Turn]]) -> list[Tokens | SampleError]:
        """Tokens of each conversation (contents as `place_image` leaves them), in their order.

        Where the template has no place for a system's text, that goes before the first question.
        SampleError in the place of a conversation: a special token is written out in a content, or
        the template renders it otherwise than segment by segment.
        """
        cut: list[tuple[list[_Segment], str] | SampleError] = []
        for turns in conversations:
            try:
                cut.append(self._segments(turns))
            except SampleError as error:
                cut.append(error)
        good = [each for each in cut if not isinstance(each, SampleError)]
        # One call for all: the tokenizer works through a list on every core.
        contents = iter(
            self._tokenize([s.text for segments, _ in good for s in segments if not s.is_template])
        )
        wholes = iter(self._tokenize([whole for _, whole in good]))
        results: list[Tokens | SampleError] = []
        for each in cut:
            if isinstance(each, SampleError):
                results.append(each)
                continue
            parts = [
                (s, self._ids_of_template(s.text) if s.is_template else next(contents))
                for s in each[0]
            ]
            results.append(self._join(parts, next(wholes)))
        return results

    def prompt(self, turns: Sequence[Turn]) -> str:
        """The text to generate from: `turns` end with the user's, contents as in training."""
        return self._render([(t.role, t.content) for t in self._foldable(turns)], generate=True)

    def _join(
        self, parts: list[tuple[_Segment, list[int]]], whole: list[int]
    ) -> Tokens | SampleError:
        ids: list[int] = []
        roles: list[int] = []
        for segment, segment_ids in parts:
            if self._writes_special(segment, segment_ids):
                who = segment.role.name.lower()
                return SampleError("special_token", f"a special token is written out in: {who}")
            ids += segment_ids
            ended = 0
            if segment.after_answer:
                ended = 1 + next(at for at, i in enumerate(segment_ids) if i in self._special_ids)
            roles += [Role.END] * ended + [segment.role] * (len(segment_ids) - ended)
        tokens = Tokens(np.array(ids, np.int32), np.array(roles, np.uint8))
        if ids != whole:
            return _error(self._difference(ids, whole))
        tokens.roles[tokens.ids == self.image_id] = Role.IMAGE
        return tokens

    def _difference(self, apart: list[int], together: list[int]) -> str:
        """Where the segments' tokens leave the template's, in words."""
        pairs = enumerate(zip(apart, together, strict=False))
        at = next((k for k, (a, b) in pairs if a != b), min(len(apart), len(together)))
        ours, theirs = (
            self.tokenizer.convert_ids_to_tokens(ids[at : at + 2]) for ids in (apart, together)
        )
        return (
            f"token {at} on is {ours} segment by segment and {theirs} in apply_chat_template: the "
            "tokenizer joins or parts what stands on the two sides of a content's border, so that "
            "a model asked with the prompt alone would see other tokens than in training"
        )

    def _writes_special(self, segment: _Segment, ids: list[int]) -> bool:
        """Whether a content holds a special token, other than a question the image's place."""
        if segment.is_template:
            return False
        if ids.count(self.image_id) > (segment.role is Role.QUESTION):
            return True
        if self._special_ids.isdisjoint(ids):
            return False
        own = self._tokenize([segment.lead])[0] if segment.lead.strip() else []
        return _count(ids, self._special_ids) > _count(own, self._special_ids)

    def _segments(self, turns: Sequence[Turn]) -> tuple[list[_Segment], str]:
        turns = self._foldable(turns)
        gaps = self._gaps_of(tuple(turn.role for turn in turns))
        segments = []
        after_answer = False
        for turn, (template, lead) in zip(turns, gaps[:-1], strict=True):
            segments.append(_Segment(template, Role.TEMPLATE, after_answer))
            role = CONTENT_ROLE[turn.role]
            segments.append(_Segment(lead + turn.content, role, lead=lead))
            after_answer = turn.role == "assistant"
        segments.append(_Segment(gaps[-1][0], Role.TEMPLATE, after_answer))
        whole = self._render([(turn.role, turn.content) for turn in turns])
        if "".join(segment.text for segment in segments) != whole:
            raise _error("the template changes a content")
        return segments, whole

    def _foldable(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """The turns, the system's text moved to the first question if it has no place else."""
        if turns[0].role != "system" or self.takes_system:
            return turns
        system, first, *rest = turns
        text = first.content.removeprefix(IMAGE_TOKEN).lstrip("\n")
        image = f"{IMAGE_TOKEN}\n" if text != first.content else ""
        return [replace(first, content=f"{image}{system.content}\n\n{text}"), *rest]

    def _gaps_of(self, roles: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """What stands before each content and after the last: (template's, content's own lead).

        The lead is tokenized with the content: spaces, which tokenizers join to the next word, and
        what an assistant's turn begins with beyond the generation prompt.
        """
        if roles in self._gaps:
            return self._gaps[roles]
        marks = [f"zq{at}mark{at}qz" for at in range(len(roles))]
        turns = list(zip(roles, marks, strict=True))
        rest = text = self._render(turns)
        gaps = []
        for at, (role, mark) in enumerate(turns):
            gap, found, rest = rest.partition(mark)
            if not found:
                raise _unusable(self.tokenizer, f"drops what the {role} says")
            template = gap.rstrip(" ")
            if role == "assistant":
                prompt = self._render(turns[:at], generate=True)
                start = text.index(mark) - len(gap)
                if not text.startswith(prompt) or len(prompt) < start:
                    raise _unusable(
                        self.tokenizer,
                        "begins an answer otherwise than its generation prompt: what is trained "
                        "would not be what is asked",
                    )
                template = gap[: len(prompt) - start]
            gaps.append((template, gap[len(template) :]))
        gaps.append((rest, ""))
        for role, (gap, _) in zip(roles, gaps[1:], strict=True):
            if role == "assistant" and self._special_ids.isdisjoint(self._ids_of_template(gap)):
                raise _unusable(
                    self.tokenizer,
                    "ends an answer with no special token: a model would not learn to stop",
                )
        self._gaps[roles] = tuple(gaps)
        return self._gaps[roles]

    def _render(self, turns: Sequence[tuple[str, str]], *, generate: bool = False) -> str:
        from jinja2 import TemplateError

        messages = [{"role": role, "content": content} for role, content in turns]
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=generate
            )
        except TemplateError as error:
            raise SampleError("template_refused", str(error)) from error
        return str(text)

    def _ids_of_template(self, text: str) -> list[int]:
        if text not in self._template_ids:
            (self._template_ids[text],) = self._tokenize([text])
        return self._template_ids[text]

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        # The template writes the BOS itself; the tokenizer must not add another.
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    @cached_property
    def _special_ids(self) -> frozenset[int]:
        return special_ids(self.tokenizer) - {self.image_id}


def _count(ids: list[int], among: frozenset[int]) -> int:
    return sum(i in among for i in ids)


def special_ids(tokenizer: Any) -> frozenset[int]:
    """The ids of all special tokens, `<image>` and unnamed ones among them."""
    return frozenset(
        int(number) for number, token in tokenizer.added_tokens_decoder.items() if token.special
    )


def image_token_id(tokenizer: Any) -> int:
    """The id of `<image>`. ValueError: it is no special token of the tokenizer."""
    for number, token in tokenizer.added_tokens_decoder.items():
        if token.content == IMAGE_TOKEN and token.special:
            return int(number)
    raise ValueError(
        f"{IMAGE_TOKEN} is no special token of {_name(tokenizer)}: add it with "
        f"add_special_tokens({{'additional_special_tokens': [{IMAGE_TOKEN!r}]}})"
    )


def _unusable(tokenizer: Any, what: str) -> SampleError:
    return SampleError("template_unusable", f"the chat template of {_name(tokenizer)} {what}")


def _error(reason: str) -> SampleError:
    return SampleError("template_mismatch", reason)


def _name(tokenizer: Any) -> str:
    return getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
