"""The rows of the miniature: each experiment of the paper once, each training once."""

from __future__ import annotations

from collections import Counter

from benchmarks.nano.plan import (
    BASELINE,
    HEADLINE,
    PAPER_SIZES,
    PARTS,
    SEEDS,
    SWAPPED,
    rows,
    rule_row,
    settings_of,
    subset_of,
    swapped,
)
from benchmarks.nano.run import jobs
from eeca_ref.recipes import experiments, load_recipe


def _wanted(prefix: str) -> set[str]:
    return {each.name for each in experiments() if each.name.startswith(prefix)}


def test_every_experiment_of_the_paper_is_in_exactly_one_row() -> None:
    named = Counter(name for row in rows() for name in row.stands_for)
    of_the_paper = {each.name for each in experiments() if each.paper is not None}
    assert set(named) == of_the_paper | {row.name for row in map(rule_row, PAPER_SIZES)}
    assert set(named.values()) == {1}


def test_a_part_has_the_rows_that_its_table_needs() -> None:
    for part in set(PARTS) - {"swap", "rules"}:
        covered = {name for row in rows((part,)) for name in row.stands_for}
        assert _wanted(part) <= covered
        assert rows((part,))[0].name == BASELINE


def test_rows_of_one_training_are_one() -> None:
    by_name = {row.name: row for row in rows()}
    assert "table3_data" in by_name["table1_hss_50k"].stands_for
    assert "table4_data_lcs_25k" in by_name["table1_lcs_25k"].stands_for
    whole = by_name["table2_eeca"].stands_for
    # The defaults, said or not: mu_e 7.32, theta 0.5, 128 queries of the paper.
    assert {"table3_l_h", "fig7_mu_e_7.32", "fig7_theta_0.5", "fig7_hr_tokens_128"} <= set(whole)
    assert set(by_name[BASELINE].stands_for) >= {"table2_baseline", "table3_baseline"}


def test_rows_that_differ_in_one_thing_are_two() -> None:
    by_name = {row.name: row for row in rows()}
    # The same recipe and data, but other questions in training, or in the test alone.
    assert by_name["table2_entity_prompt_training"].prompt == "entities-given"
    assert by_name["baseline+entities"].prompt == "entities-given"
    assert by_name["baseline+entities"].trained_as == BASELINE
    assert len({row.name for row in rows()}) == len(rows())
    assert len(rows(HEADLINE)) == 12


def test_subsets_are_those_of_the_recipes() -> None:
    for row in rows():
        if row.recipe is None:
            assert subset_of(row) is None
        elif row.rule is None:
            source = load_recipe(row.recipe).data.source
            assert subset_of(row) == getattr(source, "config", None)


def test_another_rule_has_the_sizes_of_figure_5() -> None:
    found = rows(("rules",))
    assert [subset_of(row) for row in found[1:]] == [
        "entropy300", "entropy600", "entropy900", "entropy1200", "entropy1500",
    ]  # fmt: skip
    for row, size in zip(found[1:], PAPER_SIZES, strict=True):
        (hds,) = (each for each in rows() if f"fig5_hds_{size}" in each.stands_for)
        assert row.recipe is not None and hds.recipe is not None
        mine, its = settings_of(row.recipe), settings_of(hds.recipe)
        assert mine == its
    assert {job.half for job in jobs(("rules",))} == {"west"}


def test_jobs_are_each_row_once_with_the_seeds_of_its_part() -> None:
    every = jobs(HEADLINE)
    assert len(every) == 5 * 12 == len(set(every))
    assert {job.half for job in every} == {"west"}
    assert len(jobs(("table1",), 2)) == 2 * 9
    both = jobs(("table1", "fig5"))
    count = Counter(job.row.name for job in both)
    assert count["table1_hds_25k"] == SEEDS["table1"] == 5
    assert count["fig5_hds_75k"] == SEEDS["fig5"] == 3


def test_the_swap_has_its_own_encoder_and_baselines() -> None:
    every = jobs(("swap",))
    assert {job.half for job in every} == {"east"}
    assert {job.row.name for job in every} == {BASELINE, *SWAPPED}
    assert swapped()[0].name == BASELINE
