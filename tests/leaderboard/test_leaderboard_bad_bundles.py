"""Bundles that are no bundles: each is refused with a reason, and nothing is written anywhere."""

from __future__ import annotations

import io
import os
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_data import errors, forged

from mgld.leaderboard.container import LIMITS, BundleError, read_bundle, write_bundle
from mgld.leaderboard.manifest import parse_manifest
from mgld.leaderboard.validate import validate_bundle

Files = dict[str, bytes]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def zipped(path: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in members:
            archive.writestr(name, data)
    return path


def refused(path: Path, *words: str) -> None:
    """Reading refuses it with these words; validating reports the same and raises nothing."""
    with pytest.raises(BundleError) as caught:
        read_bundle(path)
    assert all(word in str(caught.value) for word in words), caught.value
    (found,) = validate_bundle(path).findings.all
    assert (found.severity, found.check, found.message) == ("error", "files", str(caught.value))


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_what_was_written_is_read(good: Files, tmp_path: Path, name: str) -> None:
    write_bundle(good, tmp_path / name)
    assert read_bundle(tmp_path / name) == good
    assert names(tmp_path) == [name]


def test_a_zip_has_the_same_bytes_each_time(good: Files, tmp_path: Path) -> None:
    write_bundle(good, tmp_path / "a.zip")
    write_bundle(dict(reversed(good.items())), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_what_is_there_is_not_written_over(good: Files, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match="is there already; remove it or give another --out"):
        write_bundle(good, tmp_path / name)
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_full_disk_leaves_nothing(
    good: Files, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bundle(good, tmp_path / name)
    assert names(tmp_path) == []


def test_nothing_there(tmp_path: Path) -> None:
    refused(tmp_path / "none", "is no bundle", "mgld submit prepare")


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "C:\\evil",
        "b/answers.jsonl",
        "answers.jsonl/",
        "..",
        "x\x1b[",
    ],
)
def test_path_tricks_in_a_zip(good: Files, tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "b.zip", [*good.items(), (name, b"evil")])
    refused(path, "no files of a bundle")
    assert names(tmp_path) == ["b.zip"]
    assert "\x1b" not in validate_bundle(path).findings.all[0].message


def test_a_link_in_a_zip(good: Files, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("answers.jsonl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    others = [item for item in good.items() if item[0] != "answers.jsonl"]
    refused(zipped(tmp_path / "b.zip", [*others, (link, b"/etc/passwd")]), "no plain file")


def test_a_file_twice_in_a_zip(good: Files, tmp_path: Path) -> None:
    again = [*good.items(), ("answers.jsonl", good["answers.jsonl"])]
    refused(zipped(tmp_path / "b.zip", again), "more than once")


def test_a_missing_file(good: Files, tmp_path: Path) -> None:
    refused(zipped(tmp_path / "b.zip", list(good.items())[:-1]), "has no ")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "it has no submission.yaml, questions.jsonl")


def test_a_zip_bomb(good: Files, tmp_path: Path) -> None:
    bomb = {**good, "answers.jsonl": bytes(LIMITS["answers.jsonl"] // 4)}
    refused(zipped(tmp_path / "b.zip", list(bomb.items())), "would unpack to", "times")


def test_a_zip_that_lies_about_its_sizes(good: Files, tmp_path: Path) -> None:
    """A bomb that says it is small is not read beyond what it says."""
    data = zipped(tmp_path / "b.zip", [("answers.jsonl", bytes(8 << 20))]).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.infolist()[0].file_size == 8 << 20
    lying = data.replace((8 << 20).to_bytes(4, "little"), (64).to_bytes(4, "little"))
    assert lying != data
    rest = [item for item in good.items() if item[0] != "answers.jsonl"]
    (tmp_path / "b.zip").write_bytes(lying)
    with zipfile.ZipFile(tmp_path / "b.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in rest:
            archive.writestr(name, content)
    refused(tmp_path / "b.zip", "no whole zip", "CRC")


def test_2_gb_of_answers_are_not_read(good: Files, tmp_path: Path) -> None:
    write_bundle(good, tmp_path / "b")
    with (tmp_path / "b" / "answers.jsonl").open("r+b") as handle:
        handle.truncate(2 << 30)  # sparse: it takes no room
    refused(tmp_path / "b", "answers.jsonl has 2,048.0 MiB, at most 256 are taken")
    (tmp_path / "c.zip").touch()
    os.truncate(tmp_path / "c.zip", 2 << 30)
    refused(tmp_path / "c.zip", "larger than all files")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"not a zip",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"PK\x03\x04", b"PK\x03\x05", 1),
        lambda data: data[:200] + bytes(50) + data[250:],
    ],
)
def test_a_corrupt_zip(good: Files, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    write_bundle(good, tmp_path / "b.zip")
    (tmp_path / "b.zip").write_bytes(damage((tmp_path / "b.zip").read_bytes()))
    refused(tmp_path / "b.zip", "no whole zip archive", "make it again")


def test_an_encrypted_zip(good: Files, tmp_path: Path) -> None:
    write_bundle(good, tmp_path / "b.zip")
    data = bytearray((tmp_path / "b.zip").read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1
    (tmp_path / "b.zip").write_bytes(data)
    refused(tmp_path / "b.zip", "is encrypted")


def test_a_folder_with_a_link_or_more_files(good: Files, tmp_path: Path) -> None:
    write_bundle(good, tmp_path / "b")
    (tmp_path / "b" / "run.sh").write_text("x")
    refused(tmp_path / "b", "'run.sh'", "no files of a bundle")
    (tmp_path / "b" / "run.sh").unlink()
    (tmp_path / "elsewhere").write_bytes(good["answers.jsonl"])
    (tmp_path / "b" / "answers.jsonl").unlink()
    (tmp_path / "b" / "answers.jsonl").symlink_to(tmp_path / "elsewhere")
    refused(tmp_path / "b", "answers.jsonl is no plain file")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    refused(tmp_path / "c", "no such folder")


@pytest.mark.parametrize("name", list(LIMITS))
@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"[" * 100_000, b"{}\n" * 3, b"null\n"])
def test_any_file_may_be_rubbish(good: Files, name: str, data: bytes) -> None:
    files = {**good, name: data}
    assert errors(files if name == "submission.yaml" else forged(files))


def bad_manifest(good: Files, text: str) -> str:
    with pytest.raises(BundleError) as caught:
        parse_manifest(text.encode())
    assert errors({**good, "submission.yaml": text.encode()}) == [("manifest", str(caught.value))]
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [unclosed", "no YAML that can be read"),
        ("name: !!python/object/apply:os.system ['true']", "YAML tags"),
        ("a: !!bool foo", "YAML tags"),
        ("a: !!timestamp foo", "YAML tags"),
        ("a: !!int ''", "YAML tags"),
        ("began: 2026-99-99", "month must be in 1..12"),
        ("seed: " + "9" * 5_000, "no YAML that can be read"),
        ("just words", "submission.yaml:"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nname: [*b, *b]", "aliases"),
        ("[" * 60_000, "nested more than 8 deep"),
        ("name: x", "submitter Field required"),
    ],
)
def test_yaml_that_is_no_manifest(good: Files, text: str, words: str) -> None:
    assert words in bad_manifest(good, text)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "<script>alert(1)</script>", "name has characters that are not shown"),
        ("name", 'x" onload=alert(1) y="', "(U+0022)"),
        ("name", "a\u202eb", "(U+202E)"),
        ("name", "a\x1b[2Jb", "(U+001B)"),
        ("name", "   ", "name is empty"),
        ("name", "\u3164", "(U+3164)"),
        ("name", "GPT-4\ufe0f", "(U+FE0F)"),
        ("name", "a" + "\u0301" * 4, "more than 3 accents"),
        ("name", "(-)", "no letter and no digit"),
        ("name", "x" * 201, "longer than 200"),
        ("model", "<img src=x>", "model has characters"),
        ("judge", "a&b", "judge has characters"),
        ("notes", "two\nlines", "(U+000A)"),
        ("url", "javascript:alert(1)", "no https:// address"),
        ("url", "https://x.org/<b>", "url has characters"),
        ("model_repo", "../../etc", "OWNER/NAME"),
        ("model_repo", "x", "OWNER/NAME"),
        ("began", "yesterday", "began"),
        ("draws", 4, "draws"),
        ("prompt", "probe-text", "prompt"),
        ("surprise", 1, "surprise"),
        ("model_identity", {"a": {"b": 1}}, "model_identity"),
        ("versions", {"<b>": "1"}, "versions"),
    ],
)
def test_what_a_manifest_may_not_say(good: Files, field: str, value: object, words: str) -> None:
    assert words in bad_manifest(good, forged(good, **{field: value})["submission.yaml"].decode())


def test_a_datasets_name_may_be_no_markup(good: Files) -> None:
    text = good["submission.yaml"].decode().replace("source: data", "source: <script>")
    assert "dataset has characters" in bad_manifest(good, text)


@pytest.mark.parametrize(
    "name", ["LLaVA-1.5 (7B) + EECA", "openai:gpt-4.1", "模型 é", "O'Neill's", "ที่นี่ हिन्दी"]
)
def test_names_that_people_have(good: Files, name: str) -> None:
    assert errors(forged(good, name=name)) == []


def test_a_manifest_names_the_files_of_a_bundle_and_no_others(good: Files) -> None:
    text = good["submission.yaml"].decode().replace("  metrics.json:", "  ../metrics.json:")
    assert "files" in bad_manifest(good, text)
