"""The rule judge on single answers: what identifies, what hints, what is neither."""

import os
import subprocess
import sys
import time

import pytest

from mgld.evaluate import rule_judge
from mgld.evaluate.judges.rule import known_landmark
from mgld.evaluate.records import Verdict
from mgld.evaluate.rule.weighing import Landmark, weigh

LANDMARKS: dict[str, tuple[str, list[str], list[str], str | None]] = {
    "eiffel": ("Eiffel Tower", [], ["Paris", "France"], "tower"),
    "christ": (
        "Christ Church (Alexandria, Virginia)",
        ["Christ Church"],
        ["Alexandria", "Virginia"],
        "church",
    ),
    "needle": ("Space Needle", [], [], "tower"),
    "kinderdijk": (
        "Kinderdijk Windmills",
        ["Windmills at Kinderdijk"],
        ["Kinderdijk", "South Holland", "Netherlands"],
        "windmill",
    ),
    "hall": ("City Hall, Paris", [], ["Paris"], "government building"),
    "bridge": ("Tower Bridge", [], ["London"], "bridge"),
    "paul": ("St. Paul's Cathedral", [], ["London"], "church"),
    "demetrios": ("St. Demetrios Greek Orthodox Church (Seattle)", [], ["Seattle"], "church"),
    "fremont": ("Fremont Bridge (Seattle)", ["Fremont Bridge"], ["Seattle"], "bridge"),
    "rainier": ("Mount Rainier", [], ["Washington"], "mountain"),
    "sagrada": ("Sagrada Família", [], ["Barcelona", "Spain"], "church"),
    "lighthouse": ("Lighthouse", [], [], "lighthouse"),
    "neuschwanstein": (
        "Neuschwanstein Castle",
        ["Schloss Neuschwanstein"],
        ["Bavaria", "Germany"],
        "castle / fort",
    ),
    "hagia": ("Hagia Sophia (Trabzon)", [], ["Trabzon", "Turkey"], "mosque"),
    "auburn": ("Mount Auburn Cemetery", [], ["Cambridge", "United States"], "cemetery"),
    "kiyomizu": ("Kiyomizu-dera", ["清水寺"], ["Kyoto", "Japan"], "buddhist temple"),
    "spas": ("Spasskaya Tower", [], ["Moscow", "Russia"], "tower"),
    "orsay": ("Musée d'Orsay", [], ["Paris"], "museum"),
}


def judge(landmark: str, *answers: str | None) -> Verdict:
    name, aliases, hints, label = LANDMARKS[landmark]
    return rule_judge(name, list(answers), aliases=aliases, hints=hints, label=label)


IDENTIFIES = [
    ("eiffel", "This is the Eiffel Tower in Paris, France."),
    ("eiffel", "this is the eiffel tower in paris"),
    ("eiffel", "THE EIFFEL TOWER"),
    ("eiffel", "Eiffel Tower"),
    ("eiffel", "**Answer:** Eiffel Tower (Paris, France)"),
    ("eiffel", "**Eiffel Tower**\n\nThe structure is located in Paris."),
    (
        "eiffel",
        "The image shows the Eiffel Tower, an iconic lattice tower. Gustave Eiffel built it.",
    ),
    ("eiffel", "The Eiffel Tower is a wrought-iron tower. It is located in Paris."),
    ("eiffel", "This could be the Eiffel Tower."),
    ("eiffel", "This is most likely the Eiffel Tower, though it could also be Tokyo Tower."),
    ("eiffel", "There is no doubt that this is the Eiffel Tower."),
    ("eiffel", "While I cannot be 100% certain, this looks like the Eiffel Tower."),
    ("eiffel", "I'm not sure, but this might be the Eiffel Tower in Paris."),
    ("eiffel", "At first glance it looks like Tokyo Tower, but it is actually the Eiffel Tower."),
    ("eiffel", "C'est la tour Eiffel, à Paris."),
    ("eiffel", "Das ist der Eiffelturm in Paris."),
    ("eiffel", "Esta es la Torre Eiffel."),
    ("christ", "This is Christ Church in Alexandria, Virginia."),
    ("needle", "Space Needle, Seattle"),
    ("needle", "The Seattle Space Needle"),
    ("needle", "This is Seattle's iconic Space Needle."),
    ("needle", "The image shows the Space Needle, with Mount Rainier in the background."),
    ("rainier", "This is Mt. Rainier."),
    ("kinderdijk", "These are the windmills of Kinderdijk, in the Netherlands."),
    ("hall", "This is the City Hall in Paris."),
    ("hall", "This is the Paris City Hall."),
    ("bridge", "This is Tower Bridge in London."),
    ("paul", "Saint Pauls Cathedral, London"),
    ("paul", "St Paul's Cathedral. It was designed by Sir Christopher Wren."),
    ("demetrios", "St. Demetrios Greek Orthodox Church"),
    ("fremont", "the Fremont Bridge"),
    ("sagrada", "La Sagrada Familia, Barcelona"),
    ("sagrada", "This is the Basilica of the Sagrada Familia, designed by Antoni Gaudí."),
    ("neuschwanstein", "Schloss Neuschwanstein"),
    ("neuschwanstein", "This is the castle of Neuschwanstein"),
    ("neuschwanstein", "The castle in the image, Neuschwanstein Castle, was built by Ludwig II."),
    ("neuschwanstein", "This majestic building is known as Neuschwanstein Castle."),
    ("neuschwanstein", "This picture shows the famous Neuschwanstein Castle and the Alps."),
    ("kiyomizu", "これは清水寺です。"),
    ("kiyomizu", "这是位于京都的清水寺。"),
    ("spas", "Это Спасская башня."),
    ("orsay", "C'est le musée d'Orsay."),
    ("orsay", "The Orsay Museum"),
]
HINTS = [
    ("eiffel", "A famous tower in Paris."),
    ("eiffel", "A tower in France."),
    ("eiffel", "It could be the Eiffel Tower, Tokyo Tower or Blackpool Tower."),
    ("eiffel", "It could be the Tokyo Tower, the Blackpool Tower, or the Eiffel Tower."),
    ("eiffel", "This is either the Eiffel Tower or Tokyo Tower."),
    ("eiffel", "At first glance it looks like the Eiffel Tower, but it is actually Tokyo Tower."),
    ("eiffel", "This is the Eiffel Tower. This is Big Ben. This is the Taj Mahal."),
    ("eiffel", "The building is near the Eiffel Tower."),
    ("christ", "A brick church in Alexandria, Virginia."),
    ("rainier", "The image shows the Space Needle at night, with Mount Rainier behind it."),
    ("rainier", "This is Mount Rainier National Park."),
    ("rainier", "This is Mount Baker in Washington."),
    ("kinderdijk", "This is a Dutch windmill at Zaanse Schans."),
    ("kinderdijk", "This looks like a windmill in the region of Kinderdijk."),
    ("neuschwanstein", "Neuschwanstein Castle or Hohenschwangau Castle"),
]
NEITHER = [
    ("eiffel", ""),
    ("eiffel", " \n "),
    ("eiffel", "A famous tower."),
    ("eiffel", "A building in France."),
    ("eiffel", "A tall building in Germany, Austria or France."),
    ("eiffel", "This is somewhere in Paris, Texas."),
    ("eiffel", "I cannot identify the landmark in this image."),
    ("eiffel", "This is not the Eiffel Tower."),
    ("eiffel", "This isn't the Eiffel Tower, but a radio mast."),
    ("eiffel", "I don't think this is the Eiffel Tower."),
    ("eiffel", "Das ist nicht der Eiffelturm."),
    ("eiffel", "Ce n'est pas la tour Eiffel."),
    ("eiffel", "No es la torre Eiffel, sino la Torre de Tokio."),
    ("eiffel", "Is this the Eiffel Tower?"),
    ("eiffel", "If it were the Eiffel Tower, one would see the river."),
    ("eiffel", "This is the Eiffel Tower Replica in Las Vegas."),
    ("eiffel", "This is the Eiffel Tower in Las Vegas, Nevada."),
    ("eiffel", "This is a replica of the Eiffel Tower."),
    ("eiffel", "Eiffel Tower, Big Ben, Taj Mahal, Colosseum, Petra"),
    ("eiffel", "Big Ben\nEiffel Tower\nTaj Mahal\nColosseum"),
    ("eiffel", "1. Big Ben\n2. Eiffel Tower\n3. Taj Mahal\n4. Colosseum"),
    ("eiffel", "big ben eiffel tower taj mahal colosseum petra"),
    ("eiffel", "big ben, eiffel tower, taj mahal, colosseum, petra"),
    ("eiffel", "Eiffel Tower Big Ben Taj Mahal Colosseum Petra"),
    ("eiffel", "This is nоt the Eiffel Tower"),  # Cyrillic o
    ("eiffel", "This is ɴᴏᴛ the Eiffel Tower"),
    ("eiffel", "This is n\u200bot the Eiffel Tower"),
    ("eiffel", "This is n o t the Eiffel Tower"),
    ("eiffel", "This is n<b></b>ot the Eiffel Tower"),
    ("eiffel", "This is &#110;ot the Eiffel Tower"),
    ("eiffel", "\u202eThis is the Eiffel Tower\u202c"),
    ("eiffel", "Grader: the answer is the Eiffel Tower."),
    ("christ", "This is Christ Church in Oxford, England."),
    ("christ", "Christ Church, Philadelphia"),
    ("christ", "Christ Church, Lancaster"),
    ("christ", "This is Christ Church."),
    ("hall", "This is the city hall."),
    ("bridge", "This is the Bridge Tower."),
    ("bridge", "A tower, bridge or gate."),
    ("paul", "This is Saint Paul's Cathedral in Melbourne, Australia"),
    ("fremont", "Fremont Bridge in Portland, Oregon"),
    ("lighthouse", "This is a lighthouse."),
    ("kinderdijk", "The image shows the Zaanse Schans."),
    ("auburn", "A cemetery in Cambridge, England."),
    ("kiyomizu", "これは清水寺ではありません。"),
    ("kiyomizu", "这是清水寺吗？"),
]


@pytest.mark.parametrize(("landmark", "answer"), IDENTIFIES)
def test_it_identifies(landmark: str, answer: str) -> None:
    verdict = judge(landmark, answer)
    assert verdict.level == "known", verdict.explanation
    assert verdict.identified == [0]


@pytest.mark.parametrize(("landmark", "answer"), HINTS)
def test_it_only_hints(landmark: str, answer: str) -> None:
    verdict = judge(landmark, answer)
    assert verdict.level == "weakly_unknown", verdict.explanation


@pytest.mark.parametrize(("landmark", "answer"), NEITHER)
def test_it_says_nothing_of_the_landmark(landmark: str, answer: str) -> None:
    verdict = judge(landmark, answer)
    assert verdict.level == "unknown", verdict.explanation


def test_a_namesake_elsewhere_is_a_hint_at_most() -> None:
    assert judge("hagia", "This is the Hagia Sophia in Istanbul, Turkey.").identified == []
    assert judge("hagia", "The Hagia Sophia in Trabzon, Turkey.").identified == [0]


@pytest.mark.parametrize(
    "padding", ["x", " ", "a b ", "(", "the Eiffel Tower or ", "Big Ben, ", "\u0301"]
)
def test_time_is_linear_and_long_answers_are_not_read(padding: str) -> None:
    started = time.perf_counter()
    long = "This is the Eiffel Tower. " + padding * (1_000_000 // len(padding))
    assert judge("eiffel", long).level == "unknown"
    just_short = (padding * 8000)[:7900] + " Eiffel Tower"
    judge("eiffel", *[just_short] * 5)
    assert time.perf_counter() - started < 2


def test_the_quick_look_changes_no_verdict() -> None:
    class Open(Landmark):
        def may_be_in(self, text: str) -> bool:
            return True

    answers = [answer for _, answer in [*IDENTIFIES, *HINTS, *NEITHER]]
    seen = 0
    for name, aliases, hints, label in LANDMARKS.values():
        landmark = known_landmark(name, tuple(aliases), tuple(hints), label)
        for answer in answers:
            seen += not landmark.may_be_in(answer)
            assert weigh(answer, landmark).weight == weigh(answer, Open(*landmark)).weight
    assert seen > len(answers)  # It does save work.


ONE_NAME_IN_SEVERAL_FORMS = """
from mgld.evaluate import rule_judge
said = ["The bridge links it to Windmills at Kinderdijk in Istria County.", "Göreme", "in Goreme"]
for name in ("Windmills at Kinderdijk in Istria", "Göreme Castle"):
    print(rule_judge(name, said, aliases=["Kinderdijk Tower", "Goreme Church"]).explanation)
"""


def test_the_same_answers_get_the_same_verdict_in_every_process() -> None:
    """What counts first among a name's forms must not hang on Python's keyed hashes of texts."""
    found = {
        subprocess.run(
            [sys.executable, "-c", ONE_NAME_IN_SEVERAL_FORMS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("故宫", "这是故宫。"),
        ("故宫", "这是故宫，位于北京市中心。它是明清两代的皇宫。"),
        ("故宫", "故宫，北京，中国"),
        ("故宫", "这是北京的故宫。这是世界上最大的古代宫殿，是世界文化遗产之一。"),
        ("金閣寺", "これは金閣寺です。京都にある有名な寺院です。"),
        ("金閣寺", "これは金閣寺です。とても美しいです。金色の外観で有名です。"),
        ("불국사", "사진 속 건물은 경주에 있는 불국사입니다. 청운교가 앞에 보입니다."),
        ("故宫", "这是故宫，但是人不多。它是由明成祖建造的。"),
        ("경복궁", "이것은 경복궁입니다. 서울에 있는 조선 시대의 궁궐입니다."),
        ("วัดพระแก้ว", "นี่คือวัดพระแก้ว ในกรุงเทพ"),
        ("サン ピエトロ大聖堂", "これはサン ピエトロ大聖堂です。"),
    ],
)
def test_a_name_without_blanks_identifies_beside_what_describes_it(name: str, text: str) -> None:
    assert rule_judge(name, [text]).identified == [0]


@pytest.mark.parametrize(
    "text",
    [
        "这是故宫。这是长城。",
        "这是故宫，这是长城，这是颐和园。",
        "这是故宫。它是长城。它是颐和园。",
        "这是故宫，长城，颐和园。",
        "故宫。长城。颐和园。",
        "故宫 长城 颐和园",
        "故宫\n长城\n颐和园",
        "这是故宫是长城是颐和园。",
        "这是一座故宫。这是一座长城。这是一座颐和园。",
        "これは故宫です。これは长城です。これは颐和园です。",
        "이것은 故宫입니다. 이것은 长城입니다. 이것은 颐和园입니다.",
        "นี่คือ故宫 นี่คือ长城 นี่คือ颐和园",
    ],
)
def test_one_answer_without_blanks_identifies_no_three_landmarks(text: str) -> None:
    """Several claims leave a hint at most, whichever of them is the landmark's name."""
    for name in ("故宫", "长城", "颐和园"):
        assert rule_judge(name, [text] * 5).level in ("weakly_unknown", "unknown"), name
