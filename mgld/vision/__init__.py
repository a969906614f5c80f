"""Vision encoders behind one small interface: images and names in, float32 unit vectors out."""

from __future__ import annotations

from mgld.vision.checkpoint import save_checkpoint
from mgld.vision.openclip import load_encoder
from mgld.vision.protocol import DEFAULT_ENCODER, Encoder

__all__ = ["DEFAULT_ENCODER", "Encoder", "load_encoder", "save_checkpoint"]
