"""Files that pass through an exchange: on a file system here, on S3 where s3fs and moto are.

botocore needs an older python-dateutil than this project pins, so that those on S3 skip in its own
environment. They were run in one with s3fs 2026.9.0, moto 5.2.5 and python-dateutil 2.9.0.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mgld.build import BuildConfig, BuildView, build_dataset
from mgld.build import driver as driver_module
from mgld.build.exchange import Exchange
from mgld.build.manifest import FileEntry
from mgld.build.remote import RemoteTask, forget_build, make_remote_shard
from mgld.build.runner import InlineRunner, TaskError
from mgld.build.workplace import Workplace, open_workplace
from mgld.files import sha256_file


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket of an S3 server on loopback."""
    pytest.importorskip("moto")
    s3fs = pytest.importorskip("s3fs")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    before = dict(os.environ)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.1)
        s3fs.S3FileSystem().mkdir("exchange")
        yield "s3://exchange/mgld"
    finally:
        process.terminate()
        process.wait()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("s3"))
    return (tmp_path / "exchange").as_uri()


def entry_of(path: Path) -> FileEntry:
    return FileEntry(sha256=sha256_file(path), bytes=path.stat().st_size)


def test_a_file_comes_back_as_it_went(url: str, tmp_path: Path) -> None:
    path, back = tmp_path / "file", tmp_path / "deep" / "back"
    path.write_bytes(os.urandom(300_000))
    entry = entry_of(path)
    exchange = Exchange(url)
    assert not exchange.holds(entry)
    with pytest.raises(FileNotFoundError):
        exchange.get(entry, back)
    exchange.put(path, entry)
    exchange.put(path, entry)
    assert Exchange(url).holds(entry)
    exchange.get(entry, back)
    assert back.read_bytes() == path.read_bytes()
    assert [each.name for each in back.parent.iterdir()] == ["back"]


def test_what_was_changed_there_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"right")
    entry = entry_of(path)
    exchange = Exchange((tmp_path / "exchange").as_uri())
    exchange.put(path, entry)
    (there,) = (each for each in (tmp_path / "exchange").rglob("*") if each.is_file())
    there.write_bytes(b"wrong")
    with pytest.raises(OSError, match="does not hold what was written"):
        exchange.get(entry, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    there.write_bytes(b"cut")  # a size that is not right is no file: it is written again
    assert not exchange.holds(entry)
    exchange.put(path, entry)
    exchange.get(entry, tmp_path / "back")


def test_an_upload_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    exchange = Exchange((tmp_path / "exchange").as_uri())

    def fail(source: str, target: str) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(exchange._fs, "mv", fail)
    with pytest.raises(OSError, match="full"):
        exchange.put(path, entry_of(path))
    assert not [each for each in (tmp_path / "exchange").rglob("*") if each.is_file()]


@pytest.mark.parametrize("wrong", ["nosuch://x", "gs://bucket"])
def test_addresses_that_cannot_be_used_are_named(wrong: str) -> None:
    if wrong == "gs://bucket":
        try:
            import gcsfs  # noqa: F401

            pytest.skip("gcsfs is here")
        except ImportError:
            pass
    with pytest.raises(ValueError, match=f"--exchange {wrong}"):
        Exchange(wrong)


def test_a_build_through_an_exchange_is_the_same(
    url: str,
    finished: BuildView,
    config: BuildConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without Ray: what would be sent to a worker is made in a folder apart from the build's."""
    roots = set()

    class Watching(InlineRunner):
        def run(self, function, tasks, on_rows):  # type: ignore[no-untyped-def]
            roots.update(task.task.root for task in tasks if isinstance(task, RemoteTask))
            return super().run(function, tasks, on_rows)

    @contextmanager
    def elsewhere(*_: object) -> Iterator[Workplace]:
        yield Workplace(Watching(), InlineRunner(), url)

    monkeypatch.setattr(driver_module, "open_workplace", elsewhere)
    root = tmp_path / "build"
    build_dataset(config, root)
    assert (root / "manifest.json").read_bytes() == (finished.root / "manifest.json").read_bytes()
    assert roots == {root}
    forget_build()


def test_a_machine_that_does_not_see_the_build(
    copy: Path, config: BuildConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgld.build import remote as remote_module

    tasks: list[RemoteTask] = []

    class Keeping(InlineRunner):
        def run(self, function, tasks_, on_rows):  # type: ignore[no-untyped-def]
            tasks.extend(task for task in tasks_ if isinstance(task, RemoteTask))
            return super().run(function, tasks_, on_rows)

    @contextmanager
    def shared(*_: object) -> Iterator[Workplace]:
        yield Workplace(Keeping(), InlineRunner())

    monkeypatch.setattr(driver_module, "open_workplace", shared)
    monkeypatch.setattr(remote_module, "SEEN_SECONDS", 0.2)
    (copy / "scores" / "part-00000.parquet").unlink()
    build_dataset(config, copy)  # the shard is made again, on "another machine"
    (task,) = tasks
    assert task.label == "scores/part-00000"
    assert set(task.files) == {
        "catalog/landmarks.parquet",
        "catalog/names.parquet",
        "embeddings/names-00000.parquet",
        "selection/part-00000.parquet",
    }

    def made(task: RemoteTask) -> None:
        ((_, output),) = InlineRunner().run(make_remote_shard, [task], lambda _task, _rows: None)
        assert output.files

    # A file that is not of the build would be read with the others.
    extra = copy / "embeddings" / "names-00001.parquet"
    shutil.copy(copy / "embeddings" / "names-00000.parquet", extra)
    with pytest.raises(TaskError, match=r"does not see .*names-00001\.parquet as the driver does"):
        made(task)
    extra.unlink()
    made(task)
    shutil.rmtree(copy / ".work")
    (copy / "selection" / "part-00000.parquet").write_bytes(b"")
    with pytest.raises(TaskError, match=r"does not see .*selection/part-00000\.parquet"):
        made(task)
    away = replace(task, task=replace(task.task, root=copy / "nowhere"))
    with pytest.raises(TaskError, match=r"does not see the build folder .* or give --exchange"):
        made(away)


def test_wrong_calls(config: BuildConfig, tmp_path: Path) -> None:
    from mgld.build.progress import SilentProgress

    world = config.model_copy(update={"source": "world:5"})
    for message, runner, exchange, settings in (
        ("no runner 'slurm'", "slurm", None, config),
        ("is for workers on other machines", "local", tmp_path.as_uri(), config),
        ("draw it into a shared folder with `mgld world`", "ray", tmp_path.as_uri(), world),
        ("--exchange nosuch://", "ray", "nosuch://x", config),
    ):
        with (
            pytest.raises(ValueError, match=message),
            open_workplace(runner, 1, exchange, settings, SilentProgress()),
        ):
            pass


def test_a_device_with_a_number_and_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    from mgld.build.ray_runner import ray_runner

    with (
        pytest.raises(ValueError, match="on Ray say cuda"),
        ray_runner("ray", limit=1, device="cuda:1", threads=1),
    ):
        pass
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ValueError, match="needs Ray: install mgld with its extra `ray`"),
        ray_runner("ray", limit=1, device="cpu", threads=1),
    ):
        pass
