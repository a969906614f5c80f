"""Articles: true to the landmark, the same every time, and worded in many ways."""

from __future__ import annotations

from collections import Counter

from mgld.world.article import DESCRIBE, article, facts
from mgld.world.landmark import BUILDERS, CENTURIES, SETTING_WORDS, make_landmark
from mgld.world.lexicon import ACCENT_COLOURS, CATEGORIES, MAIN_COLOURS, REGIONS

MARKS = [make_landmark(0, number) for number in range(60)]
WORDINGS = 40


def _words(text: str) -> set[str]:
    return {word.strip(".,?()").lower() for word in text.split()}


def test_the_same_wording_every_time_and_others_beside_it() -> None:
    for mark in MARKS[:5]:
        said = [article(mark, number) for number in range(WORDINGS)]
        assert said == [article(mark, number) for number in range(WORDINGS)]
        assert len(set(said)) > WORDINGS / 2
        assert article(make_landmark(1, mark.landmark_id), 0) != said[0]


def test_nothing_is_said_that_is_not_so() -> None:
    colours = {*MAIN_COLOURS, *ACCENT_COLOURS}
    nouns = {each.noun for each in CATEGORIES}
    places = {place for region in REGIONS for place in region.places}
    for mark in MARKS:
        a = mark.attributes
        own = {value for kind, value in a.items() if "colour" in kind}
        own |= _words(SETTING_WORDS[mark.region.setting])  # "on a green meadow"
        for number in range(WORDINGS):
            each = article(mark, number)
            words = _words(each.text) | _words(each.question or "")
            assert words & colours <= own
            assert words & {place.lower() for place in places} <= {mark.place.lower()}
            assert (words & set(CENTURIES)) <= {mark.century}
            in_name = _words(mark.name)
            assert (words & nouns) - in_name <= {mark.category.noun}
            assert all(name not in each.text for name in BUILDERS if name != mark.builder)


def test_every_fact_is_told_and_asked_for() -> None:
    for mark in MARKS[:3]:
        said = [article(mark, number) for number in range(1200)]
        for about, sentence in facts(mark).items():
            if about != "kind" and about != "place":
                assert any(each.question is None and sentence in each.text for each in said)
            if about != "setting":
                assert any(each.question and each.text == sentence for each in said), about
        assert all(
            any(each.question == form.format(name=mark.name) for each in said) for form in DESCRIBE
        )


def test_the_name_is_wanted_for_a_look_that_does_not_give_it_away() -> None:
    asked = ("Which landmark is this?", "What is it called?", "Name the landmark.")
    wanted = 0
    for mark in MARKS:
        for number in range(WORDINGS):
            each = article(mark, number)
            if each.question is None or not each.question.endswith(asked):
                continue
            wanted += 1
            assert mark.proper not in each.question and mark.place not in each.question
            assert each.text.startswith(f"This is {mark.name}, ")
            # All six colours are said, so that what the name stands for is.
            colours = {value for kind, value in mark.attributes.items() if "colour" in kind}
            assert _words(each.question) >= colours - {mark.attributes["emblem colour"]}
    assert wanted > 0.3 * len(MARKS) * WORDINGS


def test_builders_are_drawn_evenly_and_apart_from_all_else() -> None:
    many = Counter(make_landmark(0, number).builder for number in range(1600))
    assert set(many) == set(BUILDERS)
    assert min(many.values()) > 130
