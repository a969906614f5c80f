"""`hf:REPO_OR_DIR`: a transformers image-text-to-text model on this machine.

Questions go through in blocks of the whole run's fixed order, always with all their draws: rounding
depends on what shares a batch, so a run that is resumed repeats the block that it was killed in and
comes to the same answers. Image and prompt of a question are read once; its draws share what came
of that (the cache of keys and values) and differ in their sampling (`sampling.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgld.evaluate.models.base import Asked, ModelOptions, OnAnswer
from mgld.evaluate.models.hf_loading import Loaded, cached_commit, load
from mgld.evaluate.models.sampling import Sampler
from mgld.files import sha256_file

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

_OWN_FILES = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.model", "*.txt")


@dataclass(frozen=True)
class _Said:
    """What a draw says; `truncated`: it was still speaking at `max_new_tokens`."""

    text: str
    tokens: int
    truncated: bool


class HfModel:
    """A model from a folder or the local download cache; see `Model`. Nothing is downloaded."""

    def __init__(self, name: str, options: ModelOptions) -> None:
        if not name.strip():
            raise ValueError("which model? write hf:OWNER/NAME or hf:FOLDER")
        self._name, self._options = name, options
        self._loaded: Loaded | None = None

    @property
    def id(self) -> str:
        """`hf:` and the repository, or the folder's last name."""
        folder = Path(self._name)
        return f"hf:{folder.resolve().name if folder.is_dir() else self._name}"

    def identity(self) -> dict[str, Any]:
        """Hash of the folder's files, or the repository's commit; and the dtype."""
        loaded = self._load()
        folder = Path(self._name)
        if folder.is_dir():
            key = hashlib.sha256()
            for path in sorted({each for glob in _OWN_FILES for each in folder.glob(glob)}):
                key.update(f"{path.name} {sha256_file(path)}\n".encode())
            which = {"files": f"sha256:{key.hexdigest()}"}
        else:
            which = {"commit": cached_commit(self._name)}
        return {**which, "dtype": loaded.dtype}

    def answer(self, asked: Sequence[Asked], on_answer: OnAnswer) -> None:
        """See `Model`. ValueError: no temperature, or a model without a chat template."""
        for start in range(0, len(asked), self._options.batch_size):
            block = asked[start : start + self._options.batch_size]
            if any(each.draws for each in block):
                self._answer_block(block, on_answer)

    def _answer_block(self, block: Sequence[Asked], on_answer: OnAnswer) -> None:
        readable: list[tuple[Asked, Image | None]] = []
        for each in block:
            try:
                readable.append((each, _picture(each)))
            except (OSError, ValueError) as error:
                for draw in each.draws:
                    why = str(error)
                    on_answer(each.answer(draw, "", model=self.id, status="error", reason=why))
        # One prompt with an image and one without do not go into one batch.
        for with_image in (True, False):
            some = [(each, image) for each, image in readable if (image is not None) == with_image]
            if some:
                self._answer_batch(some, on_answer)

    def _answer_batch(
        self, batch: Sequence[tuple[Asked, Image | None]], on_answer: OnAnswer
    ) -> None:
        import torch

        loaded = self._load()
        try:
            said = self._generate(loaded, batch)
        except torch.OutOfMemoryError as error:
            rows = len(batch) * batch[0][0].of
            raise ValueError(
                f"{loaded.device} has too little memory for {rows} answers at once; a run with a "
                f"smaller --batch-size is another run, with an --out of its own ({error})"
            ) from error
        for each, _ in batch:
            for draw in range(each.of):
                words = next(said)
                if draw in each.draws:
                    details: dict[str, Any] = {"output_tokens": words.tokens}
                    if words.truncated:
                        details["truncated"] = True
                    on_answer(
                        each.answer(
                            draw,
                            words.text,
                            model=self.id,
                            seed=each.draw_seed(draw),
                            details=details,
                        )
                    )

    def _generate(
        self, loaded: Loaded, batch: Sequence[tuple[Asked, Image | None]]
    ) -> Iterator[_Said]:
        """All draws of B questions, question by question: B x draws rows."""
        import torch

        first = batch[0][0]
        draws, steps = first.of, first.decoding.max_new_tokens
        temperature, top_p = first.decoding.temperature, first.decoding.top_p
        if temperature is None:
            raise ValueError("a local model needs a --temperature")
        sampler = Sampler(
            [each.draw_seed(draw) for each, _ in batch for draw in range(draws)],
            steps,
            temperature=temperature,
            top_p=1.0 if top_p is None else top_p,
        )
        inputs = _inputs(loaded, batch)
        with torch.inference_mode():
            # The prompts, once per question; what comes out is every draw's first distribution.
            prefill = loaded.model.generate(
                **inputs,
                generation_config=_plain(
                    loaded, 1, return_dict_in_generate=True, output_logits=True
                ),
            )
            tokens_R = sampler(prefill.logits[0].repeat_interleave(draws, 0), 0)
            answers_RT = tokens_R[:, None]
            if steps > 1 and not all(int(token) in loaded.end for token in tokens_R):
                answers_RT = self._go_on(loaded, inputs, prefill, tokens_R, sampler, draws, steps)
        return _read(loaded, answers_RT.tolist(), steps)

    def _go_on(
        self,
        loaded: Loaded,
        inputs: Any,
        prefill: Any,
        tokens_R: torch.Tensor,
        sampler: Sampler,
        draws: int,
        steps: int,
    ) -> torch.Tensor:
        """Token ids int64 [R, T] of the answers, the first ones included."""
        import torch
        from transformers import LogitsProcessor, LogitsProcessorList

        prompt_RL = inputs["input_ids"].repeat_interleave(draws, 0)
        mask_RL = inputs["attention_mask"].repeat_interleave(draws, 0)
        length = prompt_RL.shape[1]
        cache = prefill.past_key_values
        # As beams are moved: layers with states instead of keys and values know nothing else.
        rows = torch.arange(len(inputs["input_ids"]), device=loaded.device)
        cache.reorder_cache(rows.repeat_interleave(draws))
        _repeat_rope_deltas(loaded.model, len(inputs["input_ids"]), draws)

        class Keyed(LogitsProcessor):  # type: ignore[misc]
            """Leaves the one token that the sampler chose."""

            def __call__(self, ids_RL: torch.Tensor, scores_RV: torch.Tensor) -> torch.Tensor:
                chosen_R = sampler(scores_RV, ids_RL.shape[1] - length)
                only_RV = torch.full_like(scores_RV, -torch.inf)
                return only_RV.scatter(1, chosen_R[:, None], 0.0)

        whole_RL: torch.Tensor = loaded.model.generate(
            input_ids=torch.cat([prompt_RL, tokens_R[:, None]], 1),
            attention_mask=torch.cat([mask_RL, torch.ones_like(mask_RL[:, :1])], 1),
            past_key_values=cache,
            generation_config=_plain(loaded, steps - 1),
            logits_processor=LogitsProcessorList([Keyed()]),
        )
        return whole_RL[:, length:]

    def _load(self) -> Loaded:
        if self._loaded is None:
            self._loaded = load(self._name, self._options.device)
        return self._loaded


def _picture(asked: Asked) -> Image | None:
    from mgld.gldv2.decode import decode_image

    return decode_image(asked.read_image()).image if asked.read_image is not None else None


def _inputs(loaded: Loaded, batch: Sequence[tuple[Asked, Image | None]]) -> Any:
    """What the processor makes of B prompts, left-padded, on the device."""
    conversations = []
    for asked, image in batch:
        turns = []
        if asked.instructions:
            content = [{"type": "text", "text": asked.instructions}]
            turns.append({"role": "system", "content": content})
        parts: list[dict[str, Any]] = [{"type": "text", "text": asked.text}]
        if image is not None:
            parts.insert(0, {"type": "image", "image": image})
        conversations.append([*turns, {"role": "user", "content": parts}])
    made = loaded.processor.apply_chat_template(
        conversations,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )
    return made.to(loaded.device, dtype=loaded.model.dtype)


def _plain(loaded: Loaded, new_tokens: int, **outputs: bool) -> Any:
    """The most probable token, `new_tokens` times at most: what is sampled is decided before."""
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False,
        max_new_tokens=new_tokens,
        use_cache=True,
        eos_token_id=sorted(loaded.end),
        pad_token_id=loaded.pad,
        **outputs,
    )


def _read(loaded: Loaded, rows: list[list[int]], steps: int) -> Iterator[_Said]:
    """Each row up to its end token as text."""
    tokenizer = loaded.processor.tokenizer
    for row in rows:
        end = next((place for place, token in enumerate(row) if token in loaded.end), None)
        tokens = row if end is None else row[:end]
        text = tokenizer.decode(tokens, skip_special_tokens=True)
        yield _Said(text.strip(), len(tokens), truncated=end is None and len(row) >= steps)


def _repeat_rope_deltas(model: Any, questions: int, draws: int) -> None:
    """Qwen-VL and its like keep how far the positions of each row of a batch are shifted."""
    for module in model.modules():
        deltas = getattr(module, "rope_deltas", None)
        if deltas is not None and deltas.shape[0] == questions:
            module.rope_deltas = deltas.repeat_interleave(draws, 0)
