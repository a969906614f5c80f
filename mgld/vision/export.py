"""An encoder as a transformers CLIP checkpoint, with proof that it is the same encoder.

The trainer of the paper's method takes the encoder that scored the data from such a folder.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgld.vision.export_preprocess import (
    why_no_preprocessing,
    write_image_processor,
    write_tokenizer,
)
from mgld.vision.export_weights import clip_config, clip_state_dict, why_not
from mgld.vision.openclip import OpenClipEncoder, load_encoder

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

TOLERANCE = 1e-4

CHECK_NAMES = (
    "Eiffel Tower",
    "Abbey of Varn (Solmere)",
    "Château de Fontainebleau, façade",
    "Cha\u0302teau de Fontainebleau",  # decomposed
    "Łódź  Kościół św. Józefa\tÖREBRO İstanbul",
    "St. Paul’s “Old” Church – 1863/1907",
    "ΝΑΌΣ ΤΟΥ ΗΦΑΊΣΤΟΥ ΑΘΉΝΑΣ",
    "Исаакиевский собор",
    "天安門（北京） ｷﾞﾝｻﾞ",
    "ﬁfth & 42nd <street> it's {odd} 100% €5",
    "",
    "The Very Reverend " * 40 + "Bridge",
)
# width, height: resized to the encoder's input they leave an even margin (see `EqualityReport`)
CHECK_SHAPES = ((1, 1), (2, 1), (1, 2), (3, 1))


@dataclass(frozen=True)
class EqualityReport:
    """How far an export and its source are apart. Each number is a largest absolute difference.

    Attributes:
        spec: the encoder.
        fingerprint: of the encoder.
        parameters: weights of both towers, the same number on both sides.
        images, names: how many were compared.
        token_ids: names whose ids differ anywhere up to their end marker.
        pixel_values: prepared images, against transformers' PIL backend.
        pixel_values_default: the same against its default (torchvision) backend, which resizes
            with other arithmetic: ask for `backend="pil"` where equality matters. For information.
            Both backends halve the margin of the centre crop downwards where open_clip rounds half
            to even: images whose margin after resizing is 3 modulo 4 are cropped a pixel apart.
        image_features, text_features: unit vectors, from the same pixels and ids.
        patch_tokens: penultimate layer of the image tower, in units of its largest value.
    """

    spec: str
    fingerprint: str
    parameters: int
    images: int
    names: int
    token_ids: int
    pixel_values: float
    pixel_values_default: float
    image_features: float
    text_features: float
    patch_tokens: float

    def failures(self) -> list[str]:
        """Names of the fields that are out of tolerance."""
        checked = ("pixel_values", "image_features", "text_features", "patch_tokens")
        failed = [name for name in checked if not getattr(self, name) <= TOLERANCE]
        return [*failed, "token_ids"] if self.token_ids else failed

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        head = (
            f"{self.spec} ({self.fingerprint}), {self.parameters:,} parameters\n"
            f"largest difference from the source, over {self.images} images and {self.names} names"
        )
        rows = {
            "names whose token ids differ": f"{self.token_ids}",
            "prepared pixels (PIL backend)": f"{self.pixel_values:.1e}",
            "prepared pixels (default backend, not checked)": f"{self.pixel_values_default:.1e}",
            "image vectors": f"{self.image_features:.1e}",
            "name vectors": f"{self.text_features:.1e}",
            "patch tokens (of their largest value)": f"{self.patch_tokens:.1e}",
        }
        return "\n".join([head, *(f"  {words:<48}{value}" for words, value in rows.items())])


def export_transformers(encoder_spec: str, out_dir: str | Path) -> EqualityReport:
    """Write an encoder for transformers: CLIPModel, CLIPVisionModel, CLIPProcessor, AutoTokenizer.

    The folder gets config.json, model.safetensors, the tokenizer's files, preprocessor_config.json
    and mgld_encoder.json (this report). It is written beside `out_dir`, reloaded with transformers
    and compared with its source, and takes its place only if they are equal.

    Raises:
        ValueError: an encoder without exact equivalent, naming the setting; or an export that is
            not equal to its source to 1e-4.
        FileExistsError: `out_dir` has something in it.
        FileNotFoundError: as `load_encoder`.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and any(out_dir.iterdir()):
        raise FileExistsError(f"{out_dir} is not empty; export into a new folder")
    encoder = load_encoder(encoder_spec, device="cpu")
    reason = (
        why_not(encoder.resolved.model_cfg)
        or (None if encoder.tokenizer.is_byte_bpe else "a tokenizer other than CLIP's")
        or why_no_preprocessing(encoder.preprocess_cfg)
    )
    if reason:
        raise ValueError(f"transformers' CLIP has no exact equivalent of {encoder_spec}: {reason}")
    temporary = out_dir.with_name(f".{out_dir.name}.{os.getpid()}.new")
    temporary.mkdir(parents=True)
    try:
        _write(encoder, temporary)
        report = _compare(encoder, temporary)
        if report.failures():
            raise ValueError(
                f"the export of {encoder_spec} is not equal to its source in "
                f"{', '.join(report.failures())} (tolerance {TOLERANCE}):\n{report}"
            )
        (temporary / "mgld_encoder.json").write_text(report.to_json() + "\n", encoding="utf-8")
        temporary.replace(out_dir)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return report


def _write(encoder: OpenClipEncoder, folder: Path) -> None:
    from transformers import CLIPModel

    simple = encoder.tokenizer.tokenizer
    config = clip_config(
        encoder.resolved.model_cfg,
        bos_token_id=simple.sot_token_id,
        eos_token_id=simple.eot_token_id,
    )
    model = CLIPModel(config)
    model.load_state_dict(clip_state_dict(encoder.model.state_dict()), strict=True)
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors lets only the owner read
    write_tokenizer(simple, encoder.tokenizer.context_length, folder)
    write_image_processor(encoder.preprocess_cfg, folder)


def _compare(encoder: OpenClipEncoder, folder: Path) -> EqualityReport:
    """Reload `folder` with transformers and put the same images and names through both."""
    import torch
    from transformers import AutoTokenizer, CLIPImageProcessor, CLIPImageProcessorPil, CLIPModel

    model = CLIPModel.from_pretrained(folder).eval()
    images = _check_images(encoder.preprocess_cfg["size"][0])
    pixels = torch.stack([encoder.pixels(image) for image in images])
    theirs_pil = CLIPImageProcessorPil.from_pretrained(folder)(images, return_tensors="pt")
    theirs_default = CLIPImageProcessor.from_pretrained(folder)(images, return_tensors="pt")
    ids = encoder.tokenizer.ids(CHECK_NAMES)
    encoded = AutoTokenizer.from_pretrained(folder)(
        list(CHECK_NAMES), padding="max_length", truncation=True, return_tensors="pt"
    )
    visual = encoder.model.visual
    penultimate = max(len(visual.transformer.resblocks) - 2, 0)
    with torch.inference_mode():
        ours_patches = visual.forward_intermediates(
            pixels, indices=[penultimate], intermediates_only=True, output_fmt="NLC"
        )["image_intermediates"][0]
        outputs = model.vision_model(pixels, output_hidden_states=True)
        theirs_patches = outputs.hidden_states[penultimate + 1][:, 1:]
        report = EqualityReport(
            spec=encoder.spec,
            fingerprint=encoder.fingerprint,
            parameters=encoder.parameters,
            images=len(images),
            names=len(CHECK_NAMES),
            token_ids=_differing_rows(ids, encoded["input_ids"], encoder),
            pixel_values=_difference(pixels, theirs_pil["pixel_values"]),
            pixel_values_default=_difference(pixels, theirs_default["pixel_values"]),
            image_features=_difference(
                _unit(encoder.model.encode_image(pixels)),
                _unit(model.get_image_features(pixels).pooler_output),
            ),
            text_features=_difference(
                _unit(encoder.model.encode_text(ids)),
                _unit(model.get_text_features(**encoded).pooler_output),
            ),
            patch_tokens=_difference(ours_patches, theirs_patches)
            / max(1.0, float(ours_patches.abs().max())),
        )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if parameters != encoder.parameters:
        raise ValueError(f"{encoder.parameters} weights became {parameters}")
    return report


def _check_images(size: int) -> list[Image]:
    """Noise with structure at every scale, RGB, in several aspect ratios; always the same."""
    import numpy as np
    from PIL import Image as PilImage

    images = []
    for number, (width, height) in enumerate(CHECK_SHAPES):
        # 4 x the input size: margins after resizing are whole multiples of the size
        shape = (height * 4 * size, width * 4 * size)
        coarse = np.random.default_rng(number).integers(0, 256, (7, 9, 3), dtype=np.uint8)
        fine = np.random.default_rng(number).integers(0, 64, (*shape, 3), dtype=np.uint8)
        image = PilImage.fromarray(coarse).resize((shape[1], shape[0]), PilImage.Resampling.BICUBIC)
        images.append(PilImage.fromarray(np.asarray(image) // 2 + fine))
    return images


def _differing_rows(ours: torch.Tensor, theirs: torch.Tensor, encoder: OpenClipEncoder) -> int:
    """Rows whose ids differ up to the end marker; what follows is padding, each library's own."""
    end = encoder.tokenizer.tokenizer.eot_token_id
    lengths = [row.tolist().index(end) + 1 for row in ours]
    return sum(
        row[:length].tolist() != other[:length].tolist()
        for row, other, length in zip(ours, theirs, lengths, strict=True)
    )


def _difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours.double() - theirs.double()).abs().max())


def _unit(features: Any) -> torch.Tensor:
    import torch

    return torch.nn.functional.normalize(features, dim=-1)
