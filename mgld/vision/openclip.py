"""The one implementation of `Encoder`: any open_clip model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from mgld.vision.fingerprint import fingerprint
from mgld.vision.pipeline import preparing_threads
from mgld.vision.prepare import Preparer
from mgld.vision.resolve import ResolvedEncoder, resolve
from mgld.vision.tokenizer import DEFAULT_VOCAB_SIZE, NameTokenizer

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image

    from mgld.vision.prepare import Pixels

T = TypeVar("T")

DTYPES = ("float32", "bfloat16", "float16")


def load_encoder(
    spec: str, *, device: str | None = None, dtype: str = "float32"
) -> OpenClipEncoder:
    """Load an encoder from files on this machine; nothing is ever downloaded here.

    Args:
        spec: "nano" (embedded), "NAME:PRETRAINED" (open_clip's names, e.g. `DEFAULT_ENCODER`; or
            NAME:FILE), or a folder as `mgld.vision.save_checkpoint` writes it.
        device: torch's name of a device; None: "cuda" where there is one, else "cpu".
        dtype: what the towers compute in. "float32" (without TF32, unless torch was told to use it
            for matrix products), or on a GPU "bfloat16" or "float16".

    Returns:
        An `Encoder`, in evaluation mode on the device.

    Raises:
        ValueError: unknown names (with near matches), a dtype the device is not used with, or
            weights that do not fit the configuration.
        FileNotFoundError: weights that are not here, with the command that gets them.
    """
    import torch

    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype not in DTYPES:
        raise ValueError(f"dtype is one of {', '.join(DTYPES)}, not {dtype!r}")
    if torch.device(device).type == "cpu" and dtype != "float32":
        raise ValueError(f"dtype {dtype} needs a GPU; on the CPU encoders compute in float32")
    return OpenClipEncoder(resolve(spec), device=device, dtype=dtype)


class OpenClipEncoder:
    """An open_clip model with its own image preparation and tokenizer; see `Encoder`.

    Attributes, besides the protocol's:
        model: the open_clip module, in evaluation mode, on the device.
        resolved: the files and configuration it came from.
        preprocess_cfg: open_clip's full `PreprocessCfg`, as a dict.
        preprocess: PIL image -> float32 [3, H, W], open_clip's own inference transform.
        prepare: PIL image -> uint8 [3, H, W], nearly the same, and faster.
        tokenizer: names -> token ids.
    """

    def __init__(self, resolved: ResolvedEncoder, *, device: str, dtype: str) -> None:
        """Build and load; use `load_encoder`."""
        import torch
        from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

        self.spec = resolved.spec
        self.resolved = resolved
        self.dtype = dtype
        self.model = _build_model(resolved).eval()
        self.embed_dim: int = resolved.model_cfg["embed_dim"]
        # as open_clip's create_model: its defaults, then the checkpoint's, then the tower's size
        self.preprocess_cfg: dict[str, Any] = merge_preprocess_dict(
            asdict(PreprocessCfg()),
            {**resolved.preprocess_cfg, "size": self.model.visual.image_size},
        )
        self.preprocess: Callable[[Image], torch.Tensor] = image_transform_v2(
            PreprocessCfg(**self.preprocess_cfg), is_train=False
        )
        self.prepare = Preparer(self.preprocess_cfg, self.preprocess)
        self.short_side = self.prepare.short_side
        self.threads = preparing_threads(device)
        self.tokenizer = NameTokenizer(resolved)
        rows = resolved.model_cfg["text_cfg"].get("vocab_size", DEFAULT_VOCAB_SIZE)
        if self.tokenizer.is_byte_bpe and self.tokenizer.tokenizer.vocab_size > rows:
            raise ValueError(
                f"{self.spec}: the tokenizer has {self.tokenizer.tokenizer.vocab_size} tokens, the "
                f"text tower {rows}"
            )
        # before the cast: the encoder is the same whatever it computes in
        self.fingerprint = fingerprint(
            resolved.model_cfg,
            self.preprocess_cfg,
            self.model.state_dict(),
            self.tokenizer.identity(),
        )
        self._device = torch.device(device)
        self.device = self._device.type
        self._torch_dtype: torch.dtype = getattr(torch, dtype)
        self.model.to(device=self._device, dtype=self._torch_dtype)
        self._on_gpu = self._device.type == "cuda"
        if self._on_gpu:  # the layout that its convolutions are made for; the CPU gains nothing
            self.model.to(memory_format=torch.channels_last)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(self.preprocess_cfg["mean"]).view(shape).to(self._device)
        self._std = torch.tensor(self.preprocess_cfg["std"]).view(shape).to(self._device)

    @property
    def parameters(self) -> int:
        """Number of weights of both towers."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def encode_images(
        self, images: Iterable[Image], *, batch_size: int = 64
    ) -> NDArray[np.float32]:
        """Unit vectors, float32 [B, d], of B images.

        Images go through the encoder in batches of `batch_size` in their order (the last one may be
        smaller). Each is prepared as soon as it is taken from `images`, and only what the tower
        sees of it waits for its batch.

        Raises ValueError where a vector is not finite or is zero.
        """
        vectors = self.encode_prepared(map(self.prepare, images), batch_size=batch_size)
        return self._whole(vectors)

    def encode_prepared(
        self, prepared: Iterable[Pixels], *, batch_size: int = 64
    ) -> Iterator[NDArray[np.float32]]:
        """Unit vectors, float32 [b, d], per batch of what `prepare` made of images.

        On a GPU a batch is computed while the next one is gathered. Raises as `encode_images`.
        """
        import torch

        def features(batch: list[Pixels]) -> torch.Tensor:
            shape = (len(batch), *batch[0].shape)
            stacked = torch.empty(shape, dtype=torch.uint8, pin_memory=self._on_gpu)
            torch.stack([torch.from_numpy(each) for each in batch], out=stacked)
            pixels = stacked.to(self._device, non_blocking=True)
            # ToTensor and Normalize, as they compute
            pixels = pixels.to(torch.float32).div_(255).sub_(self._mean).div_(self._std)
            layout = torch.channels_last if self._on_gpu else torch.contiguous_format
            pixels = pixels.to(dtype=self._torch_dtype, memory_format=layout)
            result: torch.Tensor = self.model.encode_image(pixels)
            return result

        return self._encode(features, prepared, batch_size, "image")

    def encode_names(
        self, names: Sequence[str], *, template: str = "{name}", batch_size: int = 256
    ) -> NDArray[np.float32]:
        """Unit vectors, float32 [N, d], of N names, each put where `template` says "{name}".

        Raises ValueError for a template without "{name}".
        """
        texts = _fill(template, names)

        def features(batch: list[str]) -> torch.Tensor:
            ids = self.tokenizer.ids(batch).to(self._device)
            result: torch.Tensor = self.model.encode_text(ids)
            return result

        return self._whole(self._encode(features, texts, batch_size, "name"))

    def name_flags(self, names: Sequence[str], *, template: str = "{name}") -> list[str]:
        """Per name "", "truncated", "unfamiliar_script" or both joined with "+".

        `NameTokenizer.flag` says what they mean.
        """
        texts = _fill(template, names)
        return [self.tokenizer.flag(name, text) for name, text in zip(names, texts, strict=True)]

    def pixels(self, image: Image) -> torch.Tensor:
        """What open_clip has the image tower see of an image: float32 [3, H, W], normalized.

        The reference for `prepare`. Images that are not RGB are made so before: open_clip would
        resize palettes as if their indices were colours.
        """
        return self.preprocess(image if image.mode == "RGB" else image.convert("RGB"))

    def _encode(
        self,
        features: Callable[[list[T]], torch.Tensor],
        inputs: Iterable[T],
        batch_size: int,
        what: str,
    ) -> Iterator[NDArray[np.float32]]:
        """Checked unit vectors of one batch of `inputs` after the other."""
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, not {batch_size}")
        rest = iter(inputs)
        started: deque[tuple[torch.Tensor, torch.cuda.Event | None]] = deque()
        done = 0
        more = True
        while more or started:
            batch = list(islice(rest, batch_size)) if more else []
            more = bool(batch)
            if batch:
                started.append(self._start(features, batch))
            # on a GPU one batch computes while the next is gathered
            if started and (len(started) > self._on_gpu or not more):
                unit, copied = started.popleft()
                if copied is not None:
                    copied.synchronize()
                vectors = unit.numpy()
                self._check(vectors, what, done)
                done += len(vectors)
                yield vectors

    def _start(
        self, features: Callable[[list[T]], torch.Tensor], batch: list[T]
    ) -> tuple[torch.Tensor, torch.cuda.Event | None]:
        """Unit vectors on the CPU; where there is an event, they are there when it happened."""
        import torch

        # cuDNN's convolutions take TF32 by default, which nobody stated
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            unit = torch.nn.functional.normalize(features(batch).float(), dim=-1)
            if not self._on_gpu:
                return unit, None
            unit = unit.to("cpu", non_blocking=True)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(torch.cuda.current_stream(self._device))
            return unit, copied

    def _check(self, vectors: NDArray[np.float32], what: str, before: int) -> None:
        """ValueError unless all of a batch, with `before` vectors before it, are unit vectors."""
        import numpy as np

        lengths = np.linalg.norm(vectors, axis=1)
        bad = np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))
        if bad.size:
            raise ValueError(
                f"{self.spec} in {self.dtype} gives no unit vector for {what} {before + bad[0]} "
                f"({bad.size} such in its batch): its features are zero or not finite"
            )

    def _whole(self, batches: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        import numpy as np

        return np.concatenate([np.empty((0, self.embed_dim), dtype=np.float32), *batches])


def _fill(template: str, names: Sequence[str]) -> list[str]:
    if "{name}" not in template:
        raise ValueError(f'a name template contains "{{name}}"; this one does not: {template!r}')
    # not str.format: other braces in a template or a name mean themselves
    return [template.replace("{name}", name) for name in names]


def _build_model(resolved: ResolvedEncoder) -> Any:
    """The open_clip module with its weights, float32 on the CPU.

    open_clip's `create_model` does the same, but fetches what it misses from the network.
    """
    import pickle

    import open_clip
    from open_clip.coca_model import CoCa
    from open_clip.factory import load_checkpoint
    from safetensors import SafetensorError

    model_cfg = deepcopy(resolved.model_cfg)
    model_cfg["vision_cfg"]["timm_model_pretrained"] = False
    custom_text = model_cfg.pop("custom_text", False)
    if resolved.text_folder is not None:
        custom_text = True
        model_cfg["text_cfg"]["hf_model_name"] = str(resolved.text_folder)
        model_cfg["text_cfg"]["hf_model_pretrained"] = False
    model_class = open_clip.CLIP
    if custom_text:
        model_class = CoCa if "multimodal_cfg" in model_cfg else open_clip.CustomTextCLIP
    try:
        model = model_class(**model_cfg)
        load_checkpoint(model, str(resolved.weights), strict=True, weights_only=True)
    except (
        TypeError,  # a setting that open_clip does not know
        RuntimeError,  # tensors missing, left over or of another shape
        pickle.UnpicklingError,  # not weights only
        SafetensorError,
    ) as error:
        raise ValueError(
            f"{resolved.spec}: {resolved.weights} does not fit its configuration: {error}"
        ) from error
    return model
