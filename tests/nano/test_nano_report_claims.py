"""Verdicts on made-up runs whose effects are known; the paper's numbers beside them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from made_up_runs import LANDMARKS, every_row, levels, record, write_all, write_questions

from benchmarks.nano.record import write_record
from benchmarks.nano.report.claims import CLAIMS, HALVES, minus
from benchmarks.nano.report.page_conclusions import remarks_list
from benchmarks.nano.report.paper import paper_effect, paper_row
from benchmarks.nano.report.runs import BASELINES, read_runs
from benchmarks.nano.report.verdicts import Conclusion, conclude, verdict_of
from eeca_ref.recipes.composing import experiments
from mgld.evaluate.intervals import cluster_codes
from mgld.evaluate.paired import share_difference
from mgld.world.lexicon import Half


def concluded(folder: Path) -> dict[str, Conclusion]:
    return {each.id: each for each in conclude(read_runs(folder))}


def test_every_claim_is_of_experiments_that_there_are() -> None:
    names = {each.name for each in experiments()} | {"baseline"}
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        for part in claim.parts:
            assert set(part.weights) <= names
            assert sum(part.weights.values()) == 0


@pytest.mark.parametrize(
    ("kind", "low", "high", "wanted"),
    [
        ("more", 0.001, 0.1, "reproduced"),
        ("more", -0.1, -0.001, "not reproduced"),
        ("more", -0.1, 0.1, "undecided in miniature"),
        ("more", 0.0, 0.1, "undecided in miniature"),
        ("no_gain", -0.3, 0.019, "reproduced"),
        ("no_gain", 0.001, 0.021, "not reproduced"),
        ("no_gain", -0.001, 0.021, "undecided in miniature"),
        ("no_loss", -0.019, 0.3, "reproduced"),
        ("no_loss", -0.021, -0.001, "not reproduced"),
        ("no_loss", -0.021, 0.3, "undecided in miniature"),
        ("no_change", -0.019, 0.019, "reproduced"),
        ("no_change", 0.001, 0.03, "not reproduced"),
        ("no_change", -0.03, -0.001, "not reproduced"),
        ("no_change", -0.03, 0.001, "undecided in miniature"),
    ],
)
def test_rules(kind: str, low: float, high: float, wanted: str) -> None:
    assert verdict_of(low, high, kind) == wanted  # type: ignore[arg-type]


def test_a_planted_effect_is_reproduced_and_a_planted_null_is_not(tmp_path: Path) -> None:
    planted = {f"table1_hds_{k}": 0.28 for k in ("25k", "50k")}
    planted |= {f"table1_lcs_{k}": 0.24 for k in ("25k", "50k")}
    write_all(tmp_path, every_row(0.20, **planted))
    found = concluded(tmp_path)
    assert found["hds_over_brs"].verdict == "reproduced"
    mean = found["hds_over_brs"].mean
    assert mean is not None and mean.found is not None
    assert mean.found.estimate.effect == pytest.approx(0.08)
    assert mean.found.estimate.low > 0.04
    assert found["brs_over_lcs"].verdict == "not reproduced"  # planted the other way
    assert found["hss_over_brs"].verdict == "undecided in miniature"  # a null
    assert found["hr_alone"].verdict == "reproduced"  # a null that was claimed
    for id in ("robust_mu_e", "robust_theta", "robust_hr_tokens", "entity_prompt_harmless"):
        assert found[id].verdict == "reproduced"
    assert found["lcs_over_baseline"].verdict == "reproduced"
    assert found["swap_order"].verdict == "not run"


def test_seeds_that_disagree_decide_nothing(tmp_path: Path) -> None:
    """Each model is clearly another, and which way hangs on the seed: p is small, all else not."""
    write_questions(tmp_path)
    for seed, share in enumerate((0.40, 0.10, 0.38, 0.12, 0.40)):
        write_record(record("baseline", seed, levels(0.1, seed=seed, name="")), tmp_path)
        for row, of in (("table1_hds_25k", share), ("table1_hds_50k", share)):
            write_record(record(row, seed, levels(of, seed=seed, name=row)), tmp_path)
        for row in ("table1_brs_25k", "table1_brs_50k"):
            write_record(record(row, seed, levels(0.25, seed=seed, name=row)), tmp_path)
    found = concluded(tmp_path)["hds_over_brs"]
    assert found.verdict == "undecided in miniature"
    assert found.mean is not None and found.mean.found is not None
    assert min(abs(effect) for effect in found.mean.found.estimate.by_seed) > 0.1
    assert found.mean.found.estimate.se_seeds > 0.03


def test_two_seeds_decide_nothing(tmp_path: Path) -> None:
    write_all(tmp_path, every_row(0.2, table1_hds_25k=0.5, table1_hds_50k=0.5), seeds=range(2))
    found = concluded(tmp_path)["hds_over_brs"]
    assert found.verdict == "undecided in miniature"
    assert "fewer than three seeds" in found.note


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    rows = every_row()
    for name in ("table1_brs_50k", "fig7_mu_e_1.83", "fig7_theta_0.5"):
        del rows[name]
    write_all(tmp_path, rows)
    found = concluded(tmp_path)
    assert found["hds_over_brs"].verdict == "not run"
    assert [part.verdict for part in found["hds_over_brs"].parts] == [
        "undecided in miniature", "not run",
    ]  # fmt: skip
    assert found["hds_over_brs"].parts[1].missing == ["table1_brs_50k"]
    assert found["robust_mu_e"].verdict == "reproduced"  # three of four settings
    assert "3 of 4" in found["robust_mu_e"].note
    assert found["robust_theta"].verdict == "not run"  # nothing to compare with
    assert {each.verdict for each in concluded(tmp_path / "empty").values()} == {"not run"}


def test_one_setting_of_several_must_differ_by_more_than_chance(tmp_path: Path) -> None:
    """Of four values one is off: on its own interval just so, or by far."""
    rows = {name: share for name, share in every_row().items() if name.startswith("fig7_theta")}
    write_all(tmp_path, rows | {"fig7_theta_0.9": 0.218}, luck=0.6)
    found = concluded(tmp_path)["robust_theta"]
    assert [part.verdict for part in found.parts].count("not reproduced") == 1
    assert found.verdict == "undecided in miniature"
    write_all(tmp_path, {"fig7_theta_0.9": 0.24}, luck=0.6)
    assert concluded(tmp_path)["robust_theta"].verdict == "not reproduced"


def test_seeds_that_do_not_meet_are_not_compared(tmp_path: Path) -> None:
    write_all(tmp_path, {"table3_l_e": 0.2}, seeds=range(3))
    write_all(tmp_path, {"table3_hr_branch": 0.2}, seeds=range(3, 6))
    part = concluded(tmp_path)["l_e_adds"].parts[0]
    assert part.verdict == "not run"
    assert part.missing == ["table3_l_e", "table3_hr_branch"]


def test_gap_and_unknown_landmarks(tmp_path: Path) -> None:
    """EECA recognises eastern landmarks, which this encoder does not know, too."""
    write_all(tmp_path, every_row(0.2) | {"table3_data": 0.0, "table3_l_h": 0.0})
    write_all(tmp_path, {"table3_data": 0.2}, known_only="west")
    write_all(tmp_path, {"table3_l_h": 0.2})
    found = concluded(tmp_path)
    assert found["eeca_unknown_landmarks"].verdict == "reproduced"
    assert found["eeca_narrows_gap"].verdict == "reproduced"
    part = found["eeca_narrows_gap"].parts[1]
    assert part.found is not None and part.found.p is None
    assert part.found.estimate.landmarks == LANDMARKS - LANDMARKS // 20  # but for those rare


def test_a_gap_is_not_narrowed_by_forgetting_what_is_known(tmp_path: Path) -> None:
    write_all(tmp_path, {"table3_data": 0.3, "table3_l_h": 0.1}, known_only="west")
    found = concluded(tmp_path)["eeca_narrows_gap"]
    assert found.parts[1].verdict == "reproduced"  # the gap by itself
    assert found.verdict != "reproduced"


def test_where_neither_recognises_any_there_is_nothing_to_tell(tmp_path: Path) -> None:
    rows = {"table3_data": 0.2, "table3_l_h": 0.3}
    write_all(tmp_path, rows, known_only="west")
    found = concluded(tmp_path)
    told = found["eeca_unknown_landmarks"]
    assert told.verdict == "undecided in miniature"
    assert "nothing to tell apart" in told.note and "2 points" not in told.note
    assert found["eeca_over_data"].note == ""


def test_swap_control(tmp_path: Path) -> None:
    hds, lcs = "table1_hds_50k", "table1_lcs_50k"
    teach_their_own = {"baseline": (0.2, 0.0), hds: (0.6, 0.0), lcs: (0.0, 0.2)}
    _write_halves(tmp_path, "west", teach_their_own)
    _write_halves(tmp_path, "east", {name: each[::-1] for name, each in teach_their_own.items()})
    found = concluded(tmp_path)
    for id in ("swap_order", "swap_exchange", "swap_own_half"):
        assert found[id].verdict == "reproduced"
    # It is no claim of the paper, in what a person says of it, either.
    assert "(holds): why" in remarks_list([found["swap_order"]], {"swap_order": "why"})
    assert _effects(found["swap_exchange"]) == pytest.approx([0.6, 0.2, 0.2, 0.6])
    assert _effects(found["swap_own_half"]) == pytest.approx([0.2, 0.2])  # 40 points less 20

    # Subsets that teach nothing: the baseline knows the half that the encoder was taught, too.
    _write_halves(tmp_path, "east", dict.fromkeys(teach_their_own, (0.0, 0.2)))
    found = concluded(tmp_path)
    assert _effects(found["swap_own_half"]) == pytest.approx([0.2, 0.0])
    assert found["swap_own_half"].verdict == "undecided in miniature"
    assert found["swap_exchange"].verdict == "undecided in miniature"
    # An encoder that knows both halves alike: each subset teaches its own.
    _write_halves(tmp_path, "east", {"baseline": (0.1, 0.1), hds: (0.1, 0.5), lcs: (0.5, 0.1)})
    assert concluded(tmp_path)["swap_exchange"].verdict == "reproduced"
    assert concluded(tmp_path)["swap_own_half"].verdict != "reproduced"
    # The same landmarks are easy, whatever the encoder was taught.
    _write_halves(tmp_path, "east", teach_their_own)
    assert concluded(tmp_path)["swap_exchange"].verdict == "not reproduced"


def _write_halves(folder: Path, encoder: Half, shares: dict[str, tuple[float, float]]) -> None:
    """Runs of one encoder with the share of western and of eastern landmarks recognised."""
    write_questions(folder)
    for name, each in shares.items():
        for seed in range(3):
            west, east = (
                levels(share / 2, seed=seed, name=name, luck=0.3, known_only=half)
                for half, share in zip(HALVES, each, strict=True)
            )
            given = "".join(pair[k % 2] for k, pair in enumerate(zip(west, east, strict=True)))
            write_record(record(name, seed, given, encoder=encoder), folder)


def _effects(found: Conclusion) -> list[float]:
    return [part.found.estimate.effect for part in found.parts if part.found]


def test_a_run_that_is_several_rows_is_found_by_each(tmp_path: Path) -> None:
    write_questions(tmp_path)
    one = record("table1_hss_50k", 0, "S" * LANDMARKS, stands_for=["table3_data"])
    write_record(one, tmp_path)
    write_record(record("baseline", 0, "U" * LANDMARKS), tmp_path)
    runs = read_runs(tmp_path)
    assert runs.of("table3_data") == runs.of("table1_hss_50k") == {0: one}
    for name in BASELINES:
        assert list(runs.of(name)) == [0]
    write_record(record("table3_data", 0, "S" * LANDMARKS), tmp_path)
    with pytest.raises(ValueError, match=r"table3_data, seed 0: .* say that they are it"):
        read_runs(tmp_path).of("table3_data")


def test_records_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_questions(tmp_path, 10)
    write_record(record("baseline", 0, "U" * 9), tmp_path)
    with pytest.raises(ValueError, match="9 levels, 9 and 9 counts of 10 test landmarks"):
        read_runs(tmp_path)
    (tmp_path / "questions.json").unlink()
    with pytest.raises(ValueError, match=r"no questions\.json"):
        read_runs(tmp_path)


def test_the_papers_rows() -> None:
    printed = {each.name: paper_row(each.name) for each in experiments() if each.paper}
    counts = {name: row.recognised for name, row in printed.items() if row is not None}
    assert counts["table1_hds_50k"] == 356
    assert counts["table3_l_h"] == counts["table2_eeca"] == counts["fig5_eeca_50k"] == 388
    assert counts["table2_entity_prompt_training"] == 488 + 233
    assert counts["table4_baseline_lcs_25k"] == 217
    assert counts["fig5_brs_50k"] == counts["table1_brs_50k"] == 339
    assert not any(name.startswith("fig7") for name in counts)
    assert "fig5_hds_125k" not in counts


def test_the_papers_effect_is_newcombes() -> None:
    found = paper_effect(minus("table4_hr_branch_hss_25k", "table4_data_hss_25k"))
    assert found is not None
    # as benchmarks.paper.check prints it: +1.68 points (-0.2 to +3.5)
    assert [round(100 * v, 2) for v in (found.effect,)] == [1.68]
    assert [round(100 * v, 1) for v in (found.low, found.high)] == [-0.2, 3.5]
    assert paper_effect({"fig5_hds_125k": Fraction(1)}) is None


def test_effect_of_one_seed_is_as_compare_has_it(tmp_path: Path) -> None:
    """Against mgld.evaluate's own paired interval, which knows nothing of seeds."""
    write_all(tmp_path, {"table3_data": 0.2, "table3_hr_branch": 0.26}, seeds=range(1), luck=0.6)
    runs = read_runs(tmp_path)
    part = concluded(tmp_path)["hr_alone"].parts[0]
    assert part.found is not None
    hits = [
        [letter in "SK" for letter in runs.of(name)[0].levels]
        for name in ("table3_data", "table3_hr_branch")
    ]
    import numpy as np

    other = share_difference(*map(np.array, hits), cluster_codes(None, LANDMARKS))
    assert other is not None
    assert part.found.estimate.effect == pytest.approx(0.06)
    assert part.found.estimate.low == pytest.approx(other.low, abs=0.004)
    assert part.found.estimate.high == pytest.approx(other.high, abs=0.004)
