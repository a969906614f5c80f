"""The page of `eeca audit`: one HTML file that needs nothing else and runs no script."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eeca_ref.audit import Audit, AuditedEntity, AuditedSample
from eeca_ref.data.tokens import SUPERVISED, WHY, Role
from mgld.files import write_text_atomically

if TYPE_CHECKING:
    from torch import Tensor

    from eeca_ref.data.audit import TokenView
    from eeca_ref.data.images import ImageSettings

QUALITY: Final = 85
HEAT: Final = (255, 122, 0)
"""Colour laid over a grey picture, as opaque as the attention is strong."""
_STRONGEST = 0.85
"""Opacity at the strongest patch."""
_FULL = 4.0
"""Times an even spread, at least, that full opacity stands for: an even map is to look even."""
_SIGNS: Final = {**{chr(code): chr(0x2400 + code) for code in range(32)}, "\n": "↵", " ": "␣"}


def write_audit(audit: Audit, out_file: Path) -> None:
    """Write the page."""
    context = _context(audit)
    text = _environment().get_template("audit.html").render(context)
    write_text_atomically(out_file, text)


@dataclass(frozen=True)
class Piece:
    """A token as it is shown: `breaks` lines begin after it."""

    view: TokenView
    text: str
    breaks: int


@dataclass(frozen=True)
class Shown:
    """One sample with its pictures as data addresses; `overview`, `tiles` are the model's views."""

    sample: AuditedSample
    pieces: list[Piece]
    supervised: int
    image: str
    overview: str
    tiles: list[str]
    entities: list[ShownEntity]


@dataclass(frozen=True)
class ShownEntity:
    """An entity and its map.

    heat: data address of a picture to lay over the image, "" where there is no map. left: tokens of
    X^H left by theta. peak: of the strongest patch, times what it had if all were equal. overview,
    queries: shares of attention.
    """

    entity: AuditedEntity
    heat: str = ""
    left: int = 0
    peak: float = 0.0
    overview: float = 0.0
    queries: float = 0.0


def _environment() -> Any:
    """The reports' environment, which escapes everything, with this page's template."""
    from jinja2 import ChoiceLoader, PackageLoader

    from mgld.report.page import environment

    made = environment()
    made.loader = ChoiceLoader([PackageLoader("eeca_ref"), made.loader])
    return made


def _context(audit: Audit) -> dict[str, Any]:
    from markupsafe import Markup

    import mgld
    from mgld.report.page import style_sheet

    config = audit.model.config
    css = (files("eeca_ref") / "templates" / "audit.css").read_text(encoding="utf-8")
    shown = [_shown(each, audit.images) for each in audit.samples]
    there = [each for sample in shown for each in sample.entities if each.heat]
    return {
        "style": Markup(style_sheet() + css),
        "recipe": audit.recipe,
        "config": config,
        "counts": audit.counts,
        "classes": list(audit.labels.labels),
        "shown": shown,
        "left": sum(each.left for each in there) / len(there) if there else None,
        "mapped": len(there),
        "new_resampler": audit.recipe.model.start is None or "resampler" in audit.recipe.model.new,
        "roles": [
            (role.name.lower(), role in SUPERVISED, WHY[role])
            for role in Role
            if any(p.view.role == role.name.lower() for each in shown for p in each.pieces)
        ],
        "visible": _visible,
        "version": mgld.__version__,
        "written": datetime.date.today().isoformat(),
    }


def _shown(sample: AuditedSample, settings: ImageSettings) -> Shown:
    image, overview, tiles = "", "", list[str]()
    if sample.pixels_CHW is not None:
        from eeca_ref.tiling import lr_from_hr, split_tiles

        pixels_1CHW = sample.pixels_CHW[None]
        image = _picture(sample.pixels_CHW, settings)
        overview = _picture(lr_from_hr(pixels_1CHW)[0], settings)
        tiles = [_picture(tile, settings) for tile in split_tiles(pixels_1CHW)[0]]
    return Shown(
        sample=sample,
        pieces=list(_pieces(sample.tokens)),
        supervised=sum(view.supervised for view in sample.tokens),
        image=image,
        overview=overview,
        tiles=tiles,
        entities=[_entity(each, sample) for each in sample.entities],
    )


def _entity(entity: AuditedEntity, sample: AuditedSample) -> ShownEntity:
    maps, row = sample.maps, entity.number
    if maps is None or row is None:
        return ShownEntity(entity)
    map_HW = maps.map_EHW[row]
    return ShownEntity(
        entity,
        heat=_heat(map_HW),
        left=int((maps.weights_EQ[row] > 0).sum()),
        peak=float(map_HW.max() / map_HW.mean()),
        overview=float(maps.overview_E[row]),
        queries=float(maps.queries_E[row]),
    )


def _pieces(views: list[TokenView]) -> Iterator[Piece]:
    """Tokens with what cannot be seen made visible: newlines as ↵, control characters as signs."""
    for view in views:
        text = _visible(view.text).replace("␣", " ")
        yield Piece(view, text, breaks=view.text.count("\n"))


def _picture(pixels_CHW: Tensor, settings: ImageSettings) -> str:
    """Normalised pixels as a JPEG in a data address: what the model gets, made visible again."""
    import torch
    from PIL import Image

    mean, std = (torch.tensor(each)[:, None, None] for each in (settings.mean, settings.std))
    bytes_CHW = ((pixels_CHW.float() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
    image = Image.fromarray(bytes_CHW.permute(1, 2, 0).contiguous().numpy())
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return _address("jpeg", buffer)


def _heat(map_HW: Tensor) -> str:
    """One pixel a patch, as opaque as its share of the strongest patch's attention."""
    import torch
    from PIL import Image

    share_HW = map_HW / torch.maximum(map_HW.max(), _FULL * map_HW.mean())
    rgba_HWC = torch.empty(*map_HW.shape, 4, dtype=torch.uint8)
    rgba_HWC[..., :3] = torch.tensor(HEAT, dtype=torch.uint8)
    rgba_HWC[..., 3] = (255 * _STRONGEST * share_HW).round().to(torch.uint8)
    buffer = BytesIO()
    Image.fromarray(rgba_HWC.numpy(), "RGBA").save(buffer, "PNG", optimize=True)
    return _address("png", buffer)


def _visible(token: str) -> str:
    """Spaces and newlines of a token as signs."""
    return "".join(_SIGNS.get(sign, sign) for sign in token)


def _address(kind: str, buffer: BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
