"""Every member of a tar and file of a folder becomes one entry, whatever it is."""

from __future__ import annotations

import io
import os
import tarfile
from itertools import islice
from pathlib import Path

import pytest

from mgld.gldv2 import ImageEntry, archives, find_archives, iter_images, read_image

A, B, C = "a" * 16, "b" * 16, "c" * 16


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def write_tar(
    path: Path, *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def read(root: Path, shard: str = "images_000.tar") -> list[ImageEntry]:
    return list(iter_images(root, shard))


def statuses(entries: list[ImageEntry]) -> list[tuple[str, str]]:
    return [(entry.image_id[:1], entry.status) for entry in entries]


def test_members_are_judged_one_by_one(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "train" / "images_000.tar",
        member("a", type=tarfile.DIRTYPE),
        member(f"a/a/a/{A}.jpg", b"first"),
        member(f"a/a/a/{A}.jpg", b"again"),
        member("README.txt", b"x"),
        member(f"a/{A.upper()}.jpg", b"x"),
        member(f"a/._{A}.jpg", b"x"),
        member(f"a/{A}0.jpg", b"x"),
        member(f"/etc/{B}.jpg", b"x"),
        member(f"../../{B}.jpg", b"x"),
        member(f"a/../{B}.jpg", b"x"),
        member(f"..\\{B}.jpg", b"x"),
        member(f"b/{B}.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member(f"b/{B}.jpg", type=tarfile.LNKTYPE, linkname=f"a/a/a/{A}.jpg"),
        member(f"b/{B}.jpg", type=tarfile.CHRTYPE),
        member(f"b/{B}.jpg", type=tarfile.FIFOTYPE),
        member(f"b/{B}.jpg", b"x", type=tarfile.GNUTYPE_SPARSE),
        member(f"b/{B}.jpg"),
        member(f"b/{B}.JPEG", b"after the empty one"),
        member("ill\udcff.jpg", b"x"),
        member("d/" * 60 + f"{C}.jpg", b"long name"),
    )
    entries = read(tmp_path)
    assert statuses(entries) == [
        ("a", "ok"),
        ("a", "duplicate"),
        *[("", "not_an_image_name")] * 4,
        *[("", "unsafe_path")] * 9,
        ("b", "empty"),
        ("b", "ok"),
        ("", "not_an_image_name"),
        ("c", "ok"),
    ]
    for entry in entries:
        assert (entry.data is not None) == (entry.status in ("ok", "duplicate"))
        assert bool(entry.reason) == (entry.status != "ok")
        entry.reason.encode("utf-8")
        assert entry.source == "train/images_000.tar"
        if entry.data is not None:
            assert read_image(tmp_path, entry.source, entry.offset, entry.size) == entry.data
    assert [entry.data for entry in entries if entry.data] == [
        b"first",
        b"again",
        b"after the empty one",
        b"long name",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "train"]  # nothing was extracted


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_archive_cut_anywhere_keeps_what_came_before(tmp_path: Path, form: int) -> None:
    members = [member(f"{c}/{c * 16}.jpg", c.encode() * 700) for c in "abc"]
    path = write_tar(tmp_path / "images_000.tar", *members, form=form)
    whole = path.read_bytes()
    assert statuses(read(tmp_path)) == [("a", "ok"), ("b", "ok"), ("c", "ok")]
    block = tarfile.BLOCKSIZE
    each = 3 * block  # a header and two blocks of data
    for cut in [0, 1, block - 1, block, block + 5, each - 1, each, each + 9, 2 * each, 3 * each]:
        path.write_bytes(whole[:cut])
        entries = read(tmp_path)
        # A member is whole once its data is, even if the padding behind it is cut.
        count = sum(cut >= i * each + block + 700 for i in range(3))
        assert [entry.status for entry in entries] == ["ok"] * count + ["truncated_archive"], cut
        assert entries[-1].reason


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    members = [member(f"{c}/{c * 16}.jpg", b"x") for c in "abc"]
    path = write_tar(tmp_path / "images_000.tar", *members)
    data = bytearray(path.read_bytes())
    data[1024 + 148] ^= 1  # the checksum of the second header
    path.write_bytes(data)
    entries = read(tmp_path)
    assert statuses(entries) == [("a", "ok"), ("", "truncated_archive")]
    assert "damaged header" in entries[-1].reason


def test_a_negative_size_does_not_go_round_in_circles(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "images_000.tar",
        member(f"{A}.jpg", b"x"),
        member("README", b"x"),
    )
    data = bytearray(path.read_bytes())
    header = data[1024:1536]
    header[124:136] = (-512).to_bytes(12, "big", signed=True)  # GNU base-256
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    data[1024:1536] = header
    path.write_bytes(data)
    entries = list(islice(iter_images(tmp_path, "images_000.tar"), 9))
    assert statuses(entries) == [("a", "ok"), ("", "truncated_archive")]
    assert "negative size" in entries[-1].reason


@pytest.mark.parametrize("content", [b"<html>" * 500, b"\x1f\x8b" + b"x" * 2000, b"PK\3\4" * 400])
def test_what_is_no_tar_is_one_row(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images_000.tar").write_bytes(content)
    entries = read(tmp_path)
    assert [entry.status for entry in entries] == ["truncated_archive"]


def test_an_empty_but_whole_tar_has_no_entries(tmp_path: Path) -> None:
    write_tar(tmp_path / "images_000.tar")
    assert read(tmp_path) == []


def test_a_member_over_the_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_IMAGE_BYTES", 10)
    write_tar(
        tmp_path / "images_000.tar",
        member(f"{A}.jpg", b"x" * 11),
        member(f"{B}.jpg", b"x" * 10),
    )
    assert statuses(read(tmp_path)) == [("a", "too_large"), ("b", "ok")]


def test_folders_are_read_in_order_and_without_leaving_them(tmp_path: Path) -> None:
    root = tmp_path / "source"
    secret = tmp_path / f"{C}.jpg"
    secret.write_bytes(b"outside")
    for name, data in [
        ("train/a/a/a/" + A, b"one"),
        ("train/a/0/0/a000000000000000", b"two"),
        ("a/a/a/" + A, b"again"),
        ("a/a/a/aabbbbbbbbbbbbbb", b""),
    ]:
        path = root / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "train/a/notes.txt").write_text("x")
    (root / f"train/a/{C}.jpg").symlink_to(secret)
    (root / "train/a/loop").symlink_to(root / "train/a")
    (root / "train/a/a1ffffffffffffff.jpg").symlink_to(root / "train/a/0/0/a000000000000000.jpg")
    (root / "train/a/a2ffffffffffffff.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(root / "train/a/a3ffffffffffffff.jpg")
    entries = read(root, "folder-a")
    assert [(Path(entry.source).name[:3], entry.status) for entry in entries] == [
        ("a1f", "ok"),
        ("a2f", "unsafe_path"),
        ("a3f", "unsafe_path"),
        ("ccc", "unsafe_path"),
        ("loo", "unsafe_path"),
        ("not", "not_an_image_name"),
        ("a00", "ok"),
        ("aaa", "ok"),
        ("aaa", "duplicate"),
        ("aab", "empty"),
    ]
    assert entries == read(root, "folder-a")
    good = next(entry for entry in entries if entry.data == b"one")
    assert good.source == f"train/a/a/a/{A}.jpg"
    assert read_image(root, good.source, good.offset, good.size) == b"one"


def test_names_that_are_no_unicode_are_rows(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "a"
    (folder / "ill\udcff").mkdir(parents=True)
    (folder / "ill\udcff" / f"{A}.jpg").write_bytes(b"sound, but nobody could say where")
    (folder / "ill\udcfe.txt").write_bytes(b"x")
    (tmp_path / "train" / "ill\udcfd.tar").write_bytes(b"x")
    assert [shard.id for shard in find_archives(tmp_path)] == ["folder-a", "loose"]
    entries = read(tmp_path, "folder-a") + read(tmp_path, "loose")
    assert [(entry.source, entry.status) for entry in entries] == [
        ("train/a/ill\\udcfe.txt", "not_an_image_name"),
        (f"train/a/ill\\udcff/{A}.jpg", "unsafe_path"),
        ("train/ill\\udcfd.tar", "unsafe_path"),
    ]
    for entry in entries:
        (entry.source + entry.reason).encode("utf-8")


def test_what_is_only_called_a_tar_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "folder.tar").mkdir()
    (tmp_path / "nowhere.tar").symlink_to("gone.tar")
    os.mkfifo(tmp_path / "pipe.tar")
    write_tar(tmp_path / "folder-0.tar", member(f"{A}.jpg", b"x"))
    assert [shard.id for shard in find_archives(tmp_path)] == ["folder-0.tar", "loose"]
    assert statuses(read(tmp_path, "folder-0.tar")) == [("a", "ok")]
    assert [(entry.source, entry.status) for entry in read(tmp_path, "loose")] == [
        ("folder.tar", "not_an_archive"),
        ("nowhere.tar", "not_an_archive"),
        ("pipe.tar", "not_an_archive"),
    ]


def test_loose_images_are_read_too(tmp_path: Path) -> None:
    root = tmp_path / "source"
    (root / "train").mkdir(parents=True)
    (root / "train" / f"{B}.jpg").write_bytes(b"in train")
    (root / "train" / "holiday.JPG").write_bytes(b"x")
    (root / "train" / "notes.txt").write_bytes(b"x")
    (root / f"{A}.jpeg").write_bytes(b"in the root")
    (root / f"{B}.jpg").write_bytes(b"again")
    (root / f"{C}.jpg").symlink_to(tmp_path)
    (root / "album.jpg").mkdir()
    assert find_archives(root)[-1].sources == (
        f"train/{B}.jpg",
        "train/holiday.JPG",
        f"{A}.jpeg",
        f"{B}.jpg",
        f"{C}.jpg",
    )
    entries = read(root, "loose")
    assert statuses(entries) == [
        ("b", "ok"),
        ("", "not_an_image_name"),
        ("a", "ok"),
        ("b", "duplicate"),
        ("", "unsafe_path"),
    ]
    found = entries[2]
    assert read_image(root, found.source, found.offset, found.size) == b"in the root"


def test_a_mixture_of_tars_and_folders_is_found_in_order(tmp_path: Path) -> None:
    write_tar(tmp_path / "train" / "images_001.tar", member(f"{A}.jpg", b"x"))
    write_tar(tmp_path / "images_000.tar", member(f"{B}.jpg", b"x"))
    (tmp_path / "train" / "images_002.tar.part").write_bytes(b"half")
    (tmp_path / "train" / "f").mkdir()
    (tmp_path / "0").mkdir()
    (tmp_path / "g").mkdir()
    shards = find_archives(tmp_path)
    assert [(shard.id, shard.sources) for shard in shards] == [
        ("images_000.tar", ("images_000.tar",)),
        ("images_001.tar", ("train/images_001.tar",)),
        ("folder-0", ("0",)),
        ("folder-f", ("train/f",)),
    ]
    assert read(tmp_path, "folder-0") == []
    assert [entry.status for entry in read(tmp_path, "images_001.tar")] == ["ok"]


def test_wrong_calls_are_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        find_archives(tmp_path / "nowhere")
    assert find_archives(tmp_path) == []
    with pytest.raises(FileNotFoundError, match=r"no image archive images_9\.tar"):
        read(tmp_path, "images_9.tar")
    write_tar(tmp_path / "images_000.tar")
    write_tar(tmp_path / "train" / "images_000.tar")
    with pytest.raises(ValueError, match=r"images_000\.tar is both in"):
        find_archives(tmp_path)


def test_an_image_is_read_again_only_from_under_the_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    for source in ["../secret", str(tmp_path / "secret"), "a/../../secret"]:
        with pytest.raises(ValueError, match="leaves the source folder"):
            read_image(tmp_path / "root", source, 0, 6)
    (tmp_path / "root" / "x.tar").write_bytes(b"1234")
    assert read_image(tmp_path / "root", "x.tar", 1, 2) == b"23"
    with pytest.raises(ValueError, match="holds 3 of 9 bytes at 1"):
        read_image(tmp_path / "root", "x.tar", 1, 9)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "root", "gone.tar", 0, 1)
