"""The site as files: every number is the records', every link leads somewhere, all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest
import yaml
from board_data import BOARD, entry, facts, letters, save, several, submission
from click.testing import CliRunner
from read_site import broken_links, read_page

from mgld import files
from mgld.cli import main
from mgld.leaderboard.boards import read_boards
from mgld.leaderboard.entry import read_entries
from mgld.leaderboard.reported import MARK, read_reported
from mgld.leaderboard.site import SUMS, build_site
from mgld.leaderboard.site_pages import script_json

BUNDLES = "https://example.org/tree/main/submissions"


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The site of benchmarks/leaderboard."""
    out = tmp_path_factory.mktemp("own") / "site"
    build_site(BOARD, out, bundles_url=BUNDLES)
    return out


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return several(tmp_path_factory.mktemp("records"))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file()
    }


def test_every_number_of_the_table_is_the_records(own):
    page = read_page(own / "index.html")
    for each in read_entries(BOARD):
        levels = each.numbers.levels
        (row,) = (row for row in page.rows if len(row) > 1 and each.submission.name in row[1])
        low, high = levels.accuracy_interval.low, levels.accuracy_interval.high
        assert row[0] == "1 of 1"
        assert row[3] == f"{percent(levels.accuracy)} {100 * low:.1f} to {percent(high)}"
        assert row[4] == f"{levels.unscored} of {levels.total}"
        assert row[5].startswith(each.submission.judge)
        assert each.submission.dataset.content[7:15] in row[5]
        assert row[6] == each.accepted
        assert (
            f"strongly known {percent(levels.shares['strongly_known'])}; "
            f"known {percent(levels.shares['known'])}; "
            f"weakly unknown {percent(levels.shares['weakly_unknown'])}; "
            f"unknown {percent(levels.shares['unknown'])}; {levels.unscored} unscored"
        ) in page.labels


def test_every_number_of_a_submission_is_the_records(own):
    for each in read_entries(BOARD):
        page = read_page(own / "submissions" / f"{each.slug}.html")
        numbers, stated = each.numbers, each.submission
        levels, draws = numbers.levels, numbers.draws
        text = page.text
        assert f"it recognises {percent(levels.accuracy)}: {levels.recognised} of" in text
        for level, count in levels.counts.items():
            interval = levels.share_intervals[level]
            assert (
                f"{level.replace('_', ' ')} {count} {percent(levels.shares[level])} "
                f"({percent(interval.low)} to {percent(interval.high)})"
            ) in text
        for share in (draws.pass_at_1, draws.pass_at_5, draws.consistency):
            assert percent(share) in text
        for interval in (draws.pass_at_1_interval, draws.pass_at_5_interval,
                         draws.consistency_interval):  # fmt: skip
            assert f"({percent(interval.low)} to {percent(interval.high)})" in text
        rows = page.rows
        for number, count in enumerate(draws.identified):
            assert [f"{number} of 5", str(count)] in rows
        broken = numbers.breakdowns
        groups = [*broken.label, *broken.natural_or_human_made, *broken.rsr, *broken.sim]
        if any(group.name != "(not given)" for group in broken.images):  # else there is no table
            groups += broken.images
        shown = [row for row in rows if len(row) == 4 and row[0] and row[1].endswith("%")]
        assert len(shown) == len(groups)
        for group in groups:
            metrics = group.metrics
            interval = metrics.accuracy_interval
            (row,) = (row for row in shown if row[0] == group.name)
            assert row[1] == percent(metrics.accuracy, 0)
            assert row[2] == f"{percent(interval.low, 0)} to {percent(interval.high, 0)}"
            assert row[3].replace(" *", "*") == f"{metrics.scored}{'*' if group.small else ''}"
        for trend in (broken.rsr_trend, broken.sim_trend):
            assert f"(Spearman {trend.correlation:.2f}, 95 % interval" in text
            assert f"{trend.interval.low:.2f} to {trend.interval.high:.2f}" in text
        again = each.rejudged
        assert f"{again.same} of {again.questions} levels are the same" in text
        for value in (each.bundle, stated.notes, stated.submitter, stated.judge_prompt_hash,
                      stated.dataset.questions_sha256, stated.prompt_version, each.graded,
                      stated.versions["torch"], f"cpus {stated.hardware['cpus']}",
                      stated.model_identity["encoder_fingerprint"], each.accepted,
                      f"temperature {stated.decoding.temperature}"):  # fmt: skip
            assert value in text
        assert ("href", f"{BUNDLES}/{each.slug}") in page.links


def test_the_papers_rows_are_marked_and_not_ranked(own):
    page = read_page(own / "index.html")
    shown = [row for row in page.rows if len(row) > 1 and MARK in row[1]]
    reported = read_reported(BOARD / "reported.json")
    assert len(shown) == len(reported) == 17
    for row, each in zip(shown, reported, strict=True):
        assert row[0] == "– not ranked"
        assert row[1] == f"{each.name} {MARK}"
        low, high = each.levels.accuracy_interval.low, each.levels.accuracy_interval.high
        assert row[3] == f"{percent(each.levels.accuracy)} {100 * low:.1f} to {percent(high)}"
        assert row[4] == f"0 of {each.levels.total:,}"
        assert row[5] == f"{each.judge} {each.source}"


def test_every_link_leads_somewhere_and_only_https_leads_out(own, records, tmp_path):
    assert broken_links(own) == []
    build_site(records, tmp_path / "site", bundles_url=BUNDLES)
    assert broken_links(tmp_path / "site") == []
    out = {address for page in (tmp_path / "site").rglob("*.html")
           for _, address in read_page(page).links if "://" in address}  # fmt: skip
    assert out == {"https://huggingface.co/made-up/model"} | {
        f"{BUNDLES}/{each.slug}" for each in read_entries(records)
    }
    unlinked = "(not linked: built without --bundles-url)"
    assert not any(unlinked in read_page(page).text for page in (tmp_path / "site").rglob("*.html"))
    build_site(records, tmp_path / "no-bundles")
    for each in read_entries(records):
        page = read_page(tmp_path / "no-bundles" / "submissions" / f"{each.slug}.html")
        assert f"Bundle {each.bundle[:16]} {unlinked}" in page.text
    assert not any(
        "example.org" in page.read_text() for page in (tmp_path / "no-bundles").rglob("*.html")
    )


def test_the_same_records_give_the_same_bytes(records, tmp_path):
    for name in ("one", "other"):
        build_site(records, tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "other")
    sums = dict(
        reversed(line.split("  "))  # type: ignore[misc]  # two parts
        for line in (tmp_path / "one" / SUMS).read_text().splitlines()
    )
    hashes = {
        name: hashlib.sha256(data).hexdigest() for name, data in tree(tmp_path / "one").items()
    }
    assert sums == {name: each for name, each in hashes.items() if name != SUMS}


def test_a_space_says_what_it_is(own):
    _, head, body = (own / "README.md").read_text().split("---\n")
    data = yaml.safe_load(head)
    assert (data["sdk"], data["app_file"]) == ("static", "index.html")
    assert len(data["short_description"]) <= 60
    assert "mgld leaderboard build" in body


def test_boards_are_never_mixed(records, tmp_path):
    boards = read_boards(records)
    assert [len(board.rows) for board in boards] == [8, 2, 1]
    assert sorted((board.key.judge, board.key.prompt) for board in boards) == [
        ("openai:judge-1:paper", "question"), ("rule", "entities-given"), ("rule", "question")
    ]  # fmt: skip
    for board in boards:
        assert {row.place.high for row in board.rows} <= set(range(1, len(board.rows) + 1))
    asked = facts()
    others = {
        "prompt hash": submission("A", 60, judge_prompt_hash="c" * 64),
        "questions": submission("B", 60, dataset={"questions_sha256": "6" * 64}),
        "plain": submission("C", 60),
        "replied": submission("D", 60),
        "plain again": submission("E", 60, dataset={"revision": "v1.0.1"}),
    }
    entries = [
        entry(asked, about, *letters(60, 0.5, 1),
              answered_by={"judge-2": 60} if name == "replied" else {})
        for name, about in others.items()
    ]  # fmt: skip
    found = read_boards(save(tmp_path, asked, entries))
    names = sorted(sorted(row.submission.name for row in board.rows) for board in found)
    assert names == [["A"], ["B"], ["C", "E"], ["D"]]


def test_records_that_contradict_themselves_are_refused(tmp_path):
    asked = facts()
    good = entry(asked, submission("A", 60), *letters(60, 0.5, 1))
    path = save(tmp_path, asked, [good]) / "entries" / f"{good.slug}.json"
    text = path.read_text()
    escaping = json.loads(text)["submission"]
    escaping["dataset"]["questions_sha256"] = "a/../../../x"
    for changes, message in [
        ({"outcomes": "S" * 60}, "its numbers are not those of its 60 letters"),
        ({"outcomes": good.outcomes[:-1]}, "59 letters and 60 questions"),
        ({"outcomes": "X" + good.outcomes[1:]}, "its numbers are not those"),
        ({"bundle": "../../../x"}, "is no entry of this mgld"),
        ({"submission": escaping}, "questions_sha256 is no SHA-256"),
    ]:
        path.write_text(json.dumps(json.loads(text) | changes))
        with pytest.raises(ValueError, match=message):
            build_site(tmp_path, tmp_path / "site")
    path.write_text(text)
    path.with_name("again.json").write_text(text)
    with pytest.raises(ValueError, match="twice"):
        build_site(tmp_path, tmp_path / "site")
    with pytest.raises(FileNotFoundError, match="has no entries/"):
        build_site(tmp_path / "none", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_failed_build_leaves_the_former_site_whole(records, own, tmp_path, monkeypatch):
    out = tmp_path / "site"
    build_site(records, out)
    before = tree(out)

    def fail(number: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        build_site(BOARD, out, on_page=fail)
    assert tree(out) == before
    assert [each.name for each in tmp_path.iterdir()] == ["site"]
    for exchange in (files._exchange, lambda one, other: False):
        monkeypatch.setattr(files, "_exchange", exchange)
        build_site(BOARD, out)
        assert tree(out).keys() == tree(own).keys()
        assert [each.name for each in tmp_path.iterdir()] == ["site"]
        build_site(records, out)
        assert tree(out) == before


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("moment", ["a page", "the exchange"])
def test_a_killed_build_leaves_the_former_site_whole(records, tmp_path, moment):
    out = tmp_path / "site"
    build_site(records, out)
    before = tree(out)
    child = os.fork()
    if child == 0:
        die = partial(os.kill, os.getpid(), signal.SIGKILL)
        if moment == "the exchange":
            files._exchange = lambda one, other: die()
        build_site(BOARD, out, on_page=lambda number: die() if moment == "a page" else None)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert tree(out) == before
    build_site(BOARD, out)
    assert tree(out) != before


def test_nothing_but_a_former_site_is_replaced(tmp_path):
    asked = facts()
    records = save(
        tmp_path / "records", asked, [entry(asked, submission("A", 60), *letters(60, 0.5, 1))]
    )
    out = tmp_path / "site"
    out.mkdir()
    build_site(records, out)  # an empty folder holds nothing that could be lost
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds 1 files that no site has \(notes.txt\)"):
        build_site(records, out)
    assert (out / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(out)
    for name in ("file", "link"):
        with pytest.raises(ValueError, match="is no folder"):
            build_site(records, tmp_path / name)
    for address in ("http://example.org", "javascript:alert(1)", "example.org/x"):
        with pytest.raises(ValueError, match="is no https:// address"):
            build_site(records, tmp_path / "other", bundles_url=address)
    assert not (tmp_path / "other").exists()


def test_the_command(tmp_path):
    out = tmp_path / "site"
    result = CliRunner().invoke(
        main, ["leaderboard", "build", "--records", str(BOARD), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert f"site of 1 submission: {out / 'index.html'}" in result.output
    result = CliRunner().invoke(
        main, ["leaderboard", "build", "--records", str(tmp_path), "--out", str(out)]
    )
    assert result.exit_code == 1
    assert "has no entries/" in result.output


def test_a_submission_without_levels_or_draws_is_shown(tmp_path):
    asked = facts()
    nothing = entry(asked, submission("Nothing", 60), "-" * 60, "0" * 60)
    silent = entry(asked, submission("Silent", 60), letters(60, 0.5, 1)[0], None)
    lost = entry(asked, submission("Lost", 60), *letters(60, 0.5, 2, 0.2))
    out = tmp_path / "site"
    build_site(save(tmp_path / "records", asked, [nothing, silent, lost]), out)
    rows = {row[1].split()[0]: row for row in read_page(out / "index.html").rows if len(row) > 4}
    assert rows["Nothing"][0] == "–" and rows["Nothing"][3] == "–"
    levels = lost.numbers.levels
    assert levels.unscored and rows["Lost"][4] == (
        f"{levels.unscored} {percent(levels.unscored_share, 2)}: "
        f"{100 * levels.worst:.1f} to {percent(levels.best)}"
    )
    pages = {each.slug: read_page(out / "submissions" / f"{each.slug}.html").text
             for each in (nothing, silent, lost)}  # fmt: skip
    assert "None of 60 questions could be scored" in pages[nothing.slug]
    assert "does not say which of them identify" in pages[silent.slug]
    assert f"between {percent(levels.worst)} (all wrong) and" in pages[lost.slug]


def test_json_in_a_script_cannot_end_it():
    text = script_json({"</script><!--": "&\u2028\u202e]]>"})
    assert not set("<>&") & set(text) and text.isascii()
    assert json.loads(text) == {"</script><!--": "&\u2028\u202e]]>"}


def test_the_letters_that_the_comparison_loads_are_the_records(own):
    for each in read_entries(BOARD):
        name, value = re.fullmatch(
            r"mgldTake\((.*?),(.*)\);\n", (own / "data" / f"{each.slug}.js").read_text()
        ).groups()
        assert (json.loads(name), json.loads(value)) == (each.slug, each.outcomes)
