"""The one implementation of `Encoder`: any open_clip model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from mgld.vision.fingerprint import fingerprint
from mgld.vision.resolve import ResolvedEncoder, resolve
from mgld.vision.tokenizer import DEFAULT_VOCAB_SIZE, NameTokenizer

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image

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
        self._torch_dtype: torch.dtype = getattr(torch, dtype)
        self.model.to(device=self._device, dtype=self._torch_dtype)

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
        sees of it waits for its batch. Images that are not RGB are made so before open_clip
        prepares them: it would resize palettes as if their indices were colours.

        Raises ValueError where a vector is not finite or is zero.
        """
        import torch

        def features(batch: list[torch.Tensor]) -> torch.Tensor:
            pixels = torch.stack(batch).to(device=self._device, dtype=self._torch_dtype)
            result: torch.Tensor = self.model.encode_image(pixels)
            return result

        prepared = (self.pixels(image) for image in images)
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

        return self._encode(features, texts, batch_size, "name")

    def name_flags(self, names: Sequence[str], *, template: str = "{name}") -> list[str]:
        """Per name "", "truncated", "unfamiliar_script" or both joined with "+".

        `NameTokenizer.flag` says what they mean.
        """
        texts = _fill(template, names)
        return [self.tokenizer.flag(name, text) for name, text in zip(names, texts, strict=True)]

    def pixels(self, image: Image) -> torch.Tensor:
        """What the image tower sees of an image: float32 [3, H, W], normalized."""
        return self.preprocess(image if image.mode == "RGB" else image.convert("RGB"))

    def _encode(
        self,
        features: Callable[[list[T]], torch.Tensor],
        inputs: Iterable[T],
        batch_size: int,
        what: str,
    ) -> NDArray[np.float32]:
        import numpy as np
        import torch

        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, not {batch_size}")
        pieces = [np.empty((0, self.embed_dim), dtype=np.float32)]
        rest = iter(inputs)
        # cuDNN's convolutions take TF32 by default, which nobody stated
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            while batch := list(islice(rest, batch_size)):
                unit = torch.nn.functional.normalize(features(batch).float(), dim=-1)
                pieces.append(unit.cpu().numpy())
        vectors = np.concatenate(pieces)
        lengths = np.linalg.norm(vectors, axis=1)
        bad = np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))
        if bad.size:
            raise ValueError(
                f"{self.spec} in {self.dtype} gives no unit vector for {what} {bad[0]} "
                f"({bad.size} such): its features are zero or not finite"
            )
        return vectors


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
