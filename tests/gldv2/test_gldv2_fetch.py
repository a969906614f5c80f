"""`mgld fetch` against a real server on loopback that drops, lies, stalls and recovers."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest
from click.testing import CliRunner
from gldv2_site import Fault, Site

from mgld.cli import main
from mgld.gldv2 import download
from mgld.gldv2.fetch import BASE_URL, Fetched, fetch, parse_tars

TAR = "train/images_000.tar"
DATA = random.Random(0).randbytes(600_000)
TABLES = (
    "train.csv",
    "train_label_to_category.csv",
    "train_label_to_hierarchical.csv",
    "train_attribution.csv",
)
COMMAND = [sys.executable, "-c", "from mgld.cli import main; main()", "fetch"]


class Recorder:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.sizes: list[tuple[str, int, int | None]] = []

    def size(self, name: str, done: int, total: int | None) -> None:
        self.sizes.append((name, done, total))

    def line(self, text: str) -> None:
        self.lines.append(text)


def get_tar(site: Site, out: Path, **options: object) -> Fetched:
    """Fetch archive 0 with pauses too short to notice."""
    [result] = fetch(out, base_url=site.url, metadata=False, tars=[0], backoff_s=0.001, **options)
    return result


def leftovers(out: Path) -> list[str]:
    return sorted(p.name for p in out.rglob("*") if ".part" in p.name or ".tmp" in p.name)


def test_metadata_and_archives_arrive_and_stay(site: Site, tmp_path: Path) -> None:
    for name in TABLES:
        site.files[f"metadata/{name}"] = name.encode() * 100
    for number in range(3):
        site.add_tar(number, DATA[number:])
    recorder = Recorder()
    results = fetch(tmp_path, base_url=site.url + "/", tars=[0, 1, 2], progress=recorder)
    assert [result.status for result in results] == ["downloaded"] * 7
    assert [result.path for result in results[3:5]] == ["metadata/train_attribution.csv", TAR]
    for path, data in site.files.items():
        assert (tmp_path / path).read_bytes() == data
    assert leftovers(tmp_path) == []
    assert ("images_002.tar", len(DATA) - 2, len(DATA) - 2) in recorder.sizes
    site.log.clear()
    again = fetch(tmp_path, base_url=site.url, tars=[0, 1, 2])
    assert {result.status for result in again} == {"present"}
    assert site.log == []  # what is whole costs no request


def test_a_dropped_connection_is_resumed(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(drop_after=100_000), Fault(drop_after=0), Fault(drop_after=250_000)]
    assert get_tar(site, tmp_path).status == "downloaded"
    assert (tmp_path / TAR).read_bytes() == DATA
    starts = [wanted for wanted, _ in site.requests(TAR)]
    assert starts[0] is None
    offsets = [int(str(wanted)[6:-1]) for wanted in starts[1:]]
    assert offsets == sorted(offsets)
    assert offsets[0] > 0
    assert [status for _, status in site.requests(TAR)] == [200, 206, 206, 206]


def test_progress_in_between_renews_the_tries(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(drop_after=40_000) for _ in range(12)]
    assert get_tar(site, tmp_path).status == "downloaded"
    assert (tmp_path / TAR).read_bytes() == DATA


def test_a_server_that_was_never_there_stops_all_after_three_tries(tmp_path: Path) -> None:
    with socket.socket() as reserved:  # bound and not listening: refuses
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        recorder = Recorder()
        results = fetch(
            tmp_path, base_url=url, tars=range(5), jobs=1, progress=recorder, backoff_s=0.001
        )
    assert {result.status for result in results} == {"failed"}
    assert "cannot connect to 127.0.0.1" in results[0].reason
    assert "gave up after 3 tries" in results[0].reason
    assert sum("; again in" in line for line in recorder.lines) == 2


def test_a_server_that_goes_away_later_is_waited_for(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(drop_after=200_000)]
    original = site.answer

    def leave(request: object) -> None:
        if request.path.endswith(TAR):  # type: ignore[attr-defined] # a handler
            site.server.shutdown()
            site.server.server_close()
        original(request)  # type: ignore[arg-type] # a handler

    site.answer = leave  # type: ignore[method-assign] # this one site misbehaves
    result = get_tar(site, tmp_path)
    assert result.status == "failed"
    assert "cannot connect to 127.0.0.1" in result.reason
    assert "gave up after 7 tries" in result.reason


def test_a_server_that_keeps_failing_is_given_up(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(drop_after=100_000)] + [Fault(status=503)] * 99
    result = get_tar(site, tmp_path)
    assert result.status == "failed"
    assert "503; gave up after 7 tries" in result.reason
    part = tmp_path / f"{TAR}.part"
    assert part.read_bytes() == DATA[: part.stat().st_size]
    assert not (tmp_path / TAR).exists()
    site.faults.clear()
    assert get_tar(site, tmp_path).status == "downloaded"
    assert site.requests(TAR)[-1] == (f"bytes={100_000}-", 206)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(site: Site, tmp_path: Path, status: int) -> None:
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(status=status), Fault(status=status)]
    assert get_tar(site, tmp_path).status == "downloaded"
    assert [code for _, code in site.requests(TAR)] == [status, status, 200]


def test_retry_after_is_honoured_and_bounded(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(status=503, headers={"Retry-After": "1"})]
    began = time.monotonic()
    assert get_tar(site, tmp_path).status == "downloaded"
    assert time.monotonic() - began >= 1.0
    (tmp_path / TAR).unlink()
    site.faults[TAR] = [Fault(status=503, headers={"Retry-After": "86400"})]
    assert "asks to wait 86400 s" in get_tar(site, tmp_path).reason
    # A date in the past means now; nonsense means our own pause.
    for header in ("Wed, 21 Oct 2015 07:28:00 GMT", "soon"):
        site.faults[TAR] = [Fault(status=503, headers={"Retry-After": header})]
        assert get_tar(site, tmp_path).status == "downloaded"
        (tmp_path / TAR).unlink()


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_is_final(site: Site, tmp_path: Path, status: int) -> None:
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(status=status)]
    result = get_tar(site, tmp_path)
    assert (result.status, f"answered {status}" in result.reason) == ("failed", True)
    assert len(site.requests(TAR)) == 1


def test_wrong_bytes_are_found_by_md5_and_fetched_again(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    wrong = DATA[:1000] + b"!" + DATA[1001:]
    site.faults[TAR] = [Fault(body=wrong)]
    assert get_tar(site, tmp_path).status == "downloaded"
    assert (tmp_path / TAR).read_bytes() == DATA
    (tmp_path / TAR).write_bytes(wrong)  # damaged later, on disk
    assert get_tar(site, tmp_path).status == "downloaded"
    assert (tmp_path / TAR).read_bytes() == DATA


def test_wrong_bytes_for_good_leave_nothing_behind(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.files[TAR] = DATA[:-1] + b"!"
    result = get_tar(site, tmp_path)
    assert (result.status, "md5" in result.reason) == ("failed", True)
    assert not (tmp_path / TAR).exists()
    assert leftovers(tmp_path) == []
    assert len(site.requests(TAR)) == 2


def start_half(site: Site, out: Path) -> int:
    """Leave a `.part` of archive 0; returns its size."""
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(drop_after=200_000), Fault(status=400)]
    assert get_tar(site, out).status == "failed"
    site.log.clear()
    return (out / f"{TAR}.part").stat().st_size


def test_a_server_that_ignores_range_starts_again(site: Site, tmp_path: Path) -> None:
    size = start_half(site, tmp_path)
    site.faults[TAR] = [Fault(ignore_range=True)]
    assert get_tar(site, tmp_path).status == "downloaded"
    assert site.requests(TAR) == [(f"bytes={size}-", 200)]
    assert (tmp_path / TAR).read_bytes() == DATA


def test_a_server_that_sends_another_range_is_not_believed(site: Site, tmp_path: Path) -> None:
    start_half(site, tmp_path)
    site.faults[TAR] = [Fault(shift=7)]
    assert get_tar(site, tmp_path).status == "downloaded"
    assert [status for _, status in site.requests(TAR)] == [206, 200]
    assert (tmp_path / TAR).read_bytes() == DATA


def test_a_file_that_changed_on_the_server_is_not_joined(site: Site, tmp_path: Path) -> None:
    start_half(site, tmp_path)
    site.add_tar(0, DATA[::-1])
    assert get_tar(site, tmp_path).status == "downloaded"
    assert (tmp_path / TAR).read_bytes() == DATA[::-1]
    assert [status for _, status in site.requests(TAR)] == [200]


def test_a_changed_table_is_seen_even_if_the_server_ignores_if_range(
    site: Site, tmp_path: Path
) -> None:
    path = "metadata/train.csv"  # no md5 is published that would show a wrong joint
    for name in TABLES:
        site.files[f"metadata/{name}"] = DATA
    site.faults[path] = [Fault(drop_after=200_000), Fault(status=400)]
    assert fetch(tmp_path, base_url=site.url, backoff_s=0.001)[0].status == "failed"
    site.files[path] = DATA[::-1]
    site.faults[path] = [Fault(ignore_if_range=True)]
    assert fetch(tmp_path, base_url=site.url, backoff_s=0.001)[0].status == "downloaded"
    assert (tmp_path / path).read_bytes() == DATA[::-1]
    assert [status for _, status in site.requests(path)] == [200, 400, 206, 200]


def test_a_part_of_another_address_is_not_continued(site: Site, tmp_path: Path) -> None:
    start_half(site, tmp_path)
    state = tmp_path / f"{TAR}.part.json"
    state.write_text(state.read_text().replace("http://127.0.0.1", "http://mirror.example"))
    assert get_tar(site, tmp_path).status == "downloaded"
    assert site.requests(TAR) == [(None, 200)]


def test_without_validators_nothing_is_resumed(site: Site, tmp_path: Path) -> None:
    site.etags = False
    start_half(site, tmp_path)
    assert get_tar(site, tmp_path).status == "downloaded"
    assert site.requests(TAR) == [(None, 200)]


@pytest.mark.parametrize("state", ["", "{}", "[1]", '{"url": 1, "x": 2}', None])
def test_a_part_of_unknown_origin_is_not_trusted(
    site: Site, tmp_path: Path, state: str | None
) -> None:
    start_half(site, tmp_path)
    path = tmp_path / f"{TAR}.part.json"
    path.unlink() if state is None else path.write_text(state)
    (tmp_path / f"{TAR}.part").write_bytes(b"!" * 700_000)
    assert get_tar(site, tmp_path).status == "downloaded"
    assert (tmp_path / TAR).read_bytes() == DATA


def test_a_part_that_is_complete_or_too_long(site: Site, tmp_path: Path) -> None:
    for extra in (b"", b"!"):
        start_half(site, tmp_path)
        (tmp_path / f"{TAR}.part").write_bytes(DATA + extra)
        assert get_tar(site, tmp_path).status == "downloaded"
        assert site.requests(TAR)[0][1] == 416
        assert (tmp_path / TAR).read_bytes() == DATA
        (tmp_path / TAR).unlink()


def test_a_body_without_an_end_is_not_taken_for_whole(site: Site, tmp_path: Path) -> None:
    path = "metadata/train.csv"
    for name in TABLES:
        site.files[f"metadata/{name}"] = DATA
    site.faults[path] = [Fault(framing="close", drop_after=1000)]
    first = fetch(tmp_path, base_url=site.url, backoff_s=0.001)[0]
    assert (first.status, "how long it is" in first.reason) == ("failed", True)
    # Chunks tell their end: a cut is seen and made good.
    site.faults[path] = [Fault(framing="chunked", drop_after=5000), Fault(framing="chunked")]
    assert fetch(tmp_path, base_url=site.url, backoff_s=0.001)[0].status == "downloaded"
    assert (tmp_path / path).read_bytes() == DATA


def test_missing_md5_optional_and_required_tables(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    del site.files["md5sum/train/md5.images_000.txt"]
    site.files["metadata/train.csv"] = b"id,url,landmark_id\n"
    results = fetch(tmp_path, base_url=site.url, tars=[0])
    assert [result.status for result in results] == [
        "downloaded",
        "failed",
        "not_published",
        "not_published",
        "downloaded",
    ]
    assert "no md5 is published" in results[-1].reason
    assert "404" in results[1].reason


def test_an_md5_file_that_is_none(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.files["md5sum/train/md5.images_000.txt"] = b"<html>"
    result = get_tar(site, tmp_path)
    assert (result.status, "does not start with an md5" in result.reason) == ("failed", True)
    site.add_tar(0, DATA)
    assert get_tar(site, tmp_path).status == "downloaded"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://localhost:{port}/gld/other.tar", None),
        ("http://127.0.0.1:1/other.tar", "a private address"),
        ("http://127.0.0.2:{port}/other.tar", "a private address"),
        ("http://169.254.169.254/latest/meta-data", "a private address"),
        ("http://10.0.0.1/x?token=secret", "a private address"),
        ("http://[::1]:{port}/x", "a private address"),
        ("http://[::ffff:127.0.0.1]:{port}/x", "a private address"),
        ("file:///etc/passwd", "not a safe address"),
        ("http://x:port/", "invalid address"),
    ],
)
def test_redirects_inside_are_refused(
    site: Site, tmp_path: Path, location: str, why: str | None
) -> None:
    site.add_tar(0, DATA)
    target = location.format(port=site.server.server_port)
    site.faults[TAR] = [Fault(status=302, headers={"Location": target})]
    result = get_tar(site, tmp_path)
    # "localhost" is not the host the user gave, though it leads to the same machine.
    assert result.status == "failed"
    assert (why or "a private address") in result.reason
    assert "secret" not in result.reason
    assert len(site.log) == 2  # the md5 and the archive, nothing behind the redirect


def test_redirects_on_the_given_host_are_followed_but_not_for_ever(
    site: Site, tmp_path: Path
) -> None:
    site.add_tar(0, DATA)
    site.files["moved.tar"] = DATA
    site.faults[TAR] = [Fault(status=307, headers={"Location": "/gld/moved.tar"})]
    assert get_tar(site, tmp_path).status == "downloaded"
    (tmp_path / TAR).unlink()
    site.faults[TAR] = [Fault(status=302, headers={"Location": f"/gld/{TAR}"})] * 20
    assert "redirects" in get_tar(site, tmp_path).reason


def test_downgrades_are_refused(tmp_path: Path) -> None:
    downloader = download.Downloader(None, "https://example.org/gld", None, None)  # type: ignore[arg-type] # only the check is called
    with pytest.raises(download.DownloadError, match="not a safe address"):
        downloader.check_redirect("http://example.org/gld/x")


def test_secrets_in_the_base_address_stay_there(site: Site, tmp_path: Path) -> None:
    base = site.url.replace("http://", "http://user:hunter2@")
    site.add_tar(0, DATA)
    site.faults[TAR] = [Fault(drop_after=1000), Fault(status=403)]
    recorder = Recorder()
    [result] = fetch(
        tmp_path, base_url=base, metadata=False, tars=[0], progress=recorder, backoff_s=0.001
    )
    written = (tmp_path / f"{TAR}.part.json").read_text()
    assert result.status == "failed"
    assert "hunter2" not in result.reason + written + "".join(recorder.lines)


def test_a_full_disk_is_named_and_the_part_kept(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.add_tar(1, DATA)
    # A limit of the kernel on file sizes stands for the full disk: the same failing write.
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "from mgld.cli import main; main()"
    )
    arguments = [str(tmp_path), "--no-metadata", "--tars", "0-1", "--base-url", site.url]
    first = subprocess.run(
        [sys.executable, "-c", limited, "fetch", *arguments, "--jobs", "1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert first.returncode == 1
    assert "cannot write" in first.stderr
    assert "free some space and run the same command again" in first.stderr
    assert site.requests("train/images_001.tar") == []  # no use in going on
    assert (tmp_path / f"{TAR}.part").stat().st_size == 300_000
    second = CliRunner().invoke(main, ["fetch", *arguments])
    assert second.exit_code == 0, second.output
    assert site.requests(TAR)[-1] == ("bytes=300000-", 206)
    assert (tmp_path / TAR).read_bytes() == DATA


def test_a_device_that_is_full(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    (tmp_path / "train").mkdir()
    (tmp_path / f"{TAR}.part").symlink_to("/dev/full")
    result = get_tar(site, tmp_path)
    assert (result.status, "No space left on device" in result.reason) == ("failed", True)


def wait_for(path: Path, size: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or path.stat().st_size < size:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_fetch_goes_on_where_it_stopped(
    site: Site, tmp_path: Path, blow: signal.Signals
) -> None:
    data = DATA * 4
    site.add_tar(0, data)
    site.bytes_per_second = 1_000_000
    arguments = [str(tmp_path), "--no-metadata", "--tars", "0", "--base-url", site.url]
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    part = tmp_path / f"{TAR}.part"
    wait_for(part, 300_000, process)
    process.send_signal(blow)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (-signal.SIGKILL if blow is signal.SIGKILL else 1), errors
    size = part.stat().st_size
    assert 300_000 <= size < len(data)
    assert part.read_bytes() == data[:size]
    assert not (tmp_path / TAR).exists()
    site.bytes_per_second = None
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "1 files in" in done.stdout
    assert "1 downloaded" in done.stdout
    assert site.requests(TAR)[-1] == (f"bytes={size}-", 206)
    assert (tmp_path / TAR).read_bytes() == data
    assert leftovers(tmp_path) == []


def test_a_silent_server_counts_as_a_lost_connection(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mgld.gldv2.fetch.READ_TIMEOUT_S", 0.3)
    site.add_tar(0, DATA[:100])
    recorder = Recorder()
    original = site.answer
    stalled = []

    def stall_once(request: object) -> None:
        if not stalled and request.path.endswith(TAR):  # type: ignore[attr-defined] # a handler
            stalled.append(1)
            time.sleep(1.0)
        original(request)  # type: ignore[arg-type] # a handler

    site.answer = stall_once  # type: ignore[method-assign] # this one site misbehaves
    assert get_tar(site, tmp_path, progress=recorder).status == "downloaded"
    assert any("the server went silent" in line for line in recorder.lines)


@pytest.mark.parametrize(("jobs", "at_once"), [(1, {1}), (4, {2, 3, 4})])
def test_files_come_in_parallel(site: Site, tmp_path: Path, jobs: int, at_once: set[int]) -> None:
    for number in range(4):
        site.add_tar(number, DATA[:200_000])
    site.bytes_per_second = 1_000_000
    fetch(tmp_path, base_url=site.url, metadata=False, tars=range(4), jobs=jobs)
    assert site.most_busy in at_once


def test_a_second_fetch_into_the_same_folder_is_refused(site: Site, tmp_path: Path) -> None:
    with (
        filelock.FileLock(tmp_path / ".fetch.lock"),
        pytest.raises(BlockingIOError, match="another `mgld fetch`"),
    ):
        get_tar(site, tmp_path)


@pytest.mark.parametrize("url", ["ftp://x/y", "x", "http://", "https://x/y?z=1"])
def test_a_base_address_must_be_plain_http(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="base address"):
        fetch(tmp_path, base_url=url)


def test_archive_lists() -> None:
    assert parse_tars("0-3,7") == [0, 1, 2, 3, 7]
    assert parse_tars(" 5 , 3 - 4,4") == [3, 4, 5]
    assert len(parse_tars("0-499")) == 500
    for text in ("", "500", "3-1", "a", "1,,2", "-1", "1-", "0-500", "٣"):
        with pytest.raises(ValueError, match="is not an archive number"):
            parse_tars(text)


def test_the_command_and_the_library_have_the_same_default() -> None:
    from mgld.cli.fetch import fetch as command

    defaults = {option.name: option.default for option in command.params}
    assert defaults["base_url"] == BASE_URL


def test_the_command_says_what_failed_and_what_to_do(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    arguments = ["fetch", str(tmp_path), "--no-metadata", "--tars", "0-1", "--base-url", site.url]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "2 files in" in result.output
    assert "1 downloaded, 0 already there, 0 not published, 1 failed" in result.output
    assert "train/images_001.tar: http://127.0.0.1" in result.output
    assert "run the same command again" in result.output
    site.add_tar(1, DATA)
    assert CliRunner().invoke(main, arguments).exit_code == 0
    for wrong in (["--tars", "9999"], ["--no-metadata"], ["--jobs", "0", "--tars", "1"]):
        assert CliRunner().invoke(main, ["fetch", str(tmp_path), *wrong]).exit_code == 2
    refused = CliRunner().invoke(main, ["fetch", str(tmp_path), "--base-url", "ftp://x/y"])
    assert (refused.exit_code, "base address" in refused.output) == (1, True)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_bars_on_a_terminal(site: Site, tmp_path: Path) -> None:
    site.add_tar(0, DATA)
    site.bytes_per_second = 2_000_000
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, str(tmp_path), "--no-metadata", "--tars", "0", "--base-url", site.url],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # how Linux says that the other end of a terminal was closed
    os.close(ours)
    assert process.wait(30) == 0
    assert b"images_000.tar" in shown
    assert b"downloaded train/images_000.tar" in shown
