"""The sdist and the wheel of this checkout, built without a network, and what is in them."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[2]


def build(out: Path) -> tuple[Path, Path]:
    """The sdist of this checkout and the wheel made from that sdist, written to `out`."""
    command = [find_uv_bin(), "build", "--offline", "--no-build-isolation", "--out-dir", str(out)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def wheel_files(wheel: Path) -> dict[str, bytes]:
    """Path in the wheel -> content."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sdist_names(sdist: Path) -> set[str]:
    """Paths in the sdist, below its one folder."""
    with tarfile.open(sdist) as archive:
        return {name.split("/", 1)[1] for name in archive.getnames()}


def metadata(wheel: Path) -> dict[str, list[str]]:
    """The fields of the wheel's METADATA, each with all its values."""
    (name,) = (each for each in wheel_files(wheel) if each.endswith(".dist-info/METADATA"))
    message = BytesParser(policy=compat32).parsebytes(wheel_files(wheel)[name])
    return {field: message.get_all(field, []) for field in set(message.keys())}
