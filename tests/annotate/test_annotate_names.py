"""What a landmark's name supports: its label, its place, its other spellings."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgld.annotate.aliases import other_names
from mgld.annotate.labels import label_from_name, supported_labels
from mgld.annotate.names import split_name
from mgld.gldv2 import LABELS, landmark_name

INDEX_LABELS = (
    Path(__file__).resolve().parents[2].parent
    / "shared/data/gldv2-index-labels/index_label_to_hierarchical_named541.csv"
)

LABELLED = {
    "Lake Crescent (Olympic National Park, Washington)": "lake",
    "Lago di Garda": "lake",
    "Potholes Reservoir": "lake",
    "Lake Union Park": "parks",
    "Lake Quinault Lodge": "hotel",
    "Mount Rainier": "mountain",
    "Mount Rainier National Park": "parks",
    "Museum of Glass": "museum",
    "Musée de la Révolution française": "museum",
    "Museo Municipal de Bellas Artes de Valparaíso": "museum",
    "Fort Lewis Military Museum": "museum",
    "Fort Worden": "castle / fort",
    "Château de Schœneck": "castle / fort",
    "Castle of Pardo de Cela": "castle / fort",
    "Schloss Hartenfels, Torgau": "castle / fort",
    "Bridge of the Gods": "bridge",
    "11th Street Bridge, Tacoma, Washington": "bridge",
    "Pont Neuf": "bridge",
    "Rialto Theater in Tacoma, Washington": "theatre",
    "First Methodist Protestant Church of Seattle": "church",
    "Evangelische Kirche im Rheinland": "church",
    "Storkyrkan, Stockholm": None,  # a compound: only whole words count
    "Sankt Petri kyrka, Malmö": "church",
    "Cathédrale Sainte-Eulalie-et-Sainte-Julie d'Elne": "church",
    "Abbey of Varn (Solmere)": "monastery",
    "Mar Mattai monastery": "monastery",
    "Seattle Buddhist Church": "buddhist temple",
    "Jameh Mosque of Nishapur": "mosque",
    "Portugees-Israëlietische Synagoge": "synagogue",
    "Point Robinson Light Station": "lighthouse",
    "Lake View Cemetery, Seattle": "cemetery",
    "Alter Katholischer Friedhof, Dresden": "cemetery",
    "Fram (ship, 1892)": "boat",
    "USS Texas (BB-35)": "boat",
    "Piazza San Marco": "square",
    "Seattle City Hall": "government building",
    "Port of Amsterdam": "harbor",
    "Noordzeekanaal": None,
    "San Diego Botanic Garden": "garden",
    "University of Rochester": "school",
    "Monument Avenue": "road",
}

UNSUPPORTED = (
    "Space Needle",
    "South Lake Union, Seattle, Washington",  # "lake" neither starts nor ends it
    "House of Providence",  # "house" only at the end
    "Temple of Heaven",  # of which religion?
    "1611 Everett Avenue, Everett, Washington",  # an address, not a road
    "Roanoke Park Historic District",
    "Canyon de Chelly National Monument",
    "White Sands Missile Range",
    "Fire Station No. 23, Seattle",
    "Starbucks Coffee in Pike Place Market",
    "Kazan",
    "金閣寺",
    "Parkinson Lane",
    "",
)


@pytest.mark.parametrize("name", LABELLED)
def test_label_of_name(name: str) -> None:
    assert label_from_name(name) == LABELLED[name]


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_no_label_where_nothing_supports_one(name: str) -> None:
    assert label_from_name(name) is None


def test_every_label_of_the_table_is_gldv2s() -> None:
    assert supported_labels() <= set(LABELS)
    assert len(supported_labels()) >= 70


@pytest.mark.real_data
@pytest.mark.skipif(not INDEX_LABELS.is_file(), reason="no ../shared/data/gldv2-index-labels here")
def test_labels_agree_with_gldv2s_own() -> None:
    """Of GLDv2's 541 named index landmarks: most get one, nine in ten the right."""
    rows = list(_rows())
    given = [(label_from_name(landmark_name(url)), label) for url, label in rows]
    labelled = [(mine, theirs) for mine, theirs in given if mine is not None]
    assert len(rows) == 541
    assert len(labelled) / len(rows) > 0.75
    assert sum(mine == theirs for mine, theirs in labelled) / len(labelled) > 0.9


def _rows() -> Iterator[tuple[str, str]]:
    with INDEX_LABELS.open(encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            yield row["category"], row["hierarchical_label"].strip()


@pytest.mark.parametrize(
    ("name", "bare", "places"),
    [
        ("Yesler Terrace, Seattle, Washington", "Yesler Terrace", ("Seattle", "Washington")),
        ("Warner Theatre, Washington, D.C.", "Warner Theatre", ("Washington, D.C.",)),
        ("Abbey of Varn (Solmere)", "Abbey of Varn", ("Solmere",)),
        ("Fram (ship, 1892)", "Fram", ()),
        ("Interurban Trail (South)", "Interurban Trail", ()),
        ("USS Texas (BB-35)", "USS Texas", ()),
        (
            "Saint Vincent Ferrer Parish Church (Dupax del Sur, Nueva Vizcaya)",
            "Saint Vincent Ferrer Parish Church",
            ("Dupax del Sur", "Nueva Vizcaya"),
        ),
        (
            "Rialto Theater in Tacoma, Washington",
            "Rialto Theater in Tacoma",
            ("Tacoma", "Washington"),
        ),
        ("Mount Si", "Mount Si", ()),
        ("(Nameless)", "(Nameless)", ("Nameless",)),
    ],
)
def test_a_name_taken_apart(name: str, bare: str, places: tuple[str, ...]) -> None:
    parts = split_name(name)
    assert (parts.bare, parts.places) == (bare, places)


def test_aliases() -> None:
    assert other_names("Château de Meudon (Meudon)") == [
        "Château de Meudon",
        "Chateau de Meudon (Meudon)",
        "Chateau de Meudon",
    ]
    assert other_names("St. Bartholomäus (Rödinghausen)") == [
        "St. Bartholomäus",
        "Saint Bartholomäus (Rödinghausen)",
        "Saint Bartholomäus",
        "St. Bartholomaus (Rodinghausen)",
        "St. Bartholomaus",
        "Saint Bartholomaus (Rodinghausen)",
        "Saint Bartholomaus",
    ]
    # A bare name that only says a kind would let any city hall count as this one.
    assert other_names("City Hall, Paris") == []
    assert other_names("Mount Si") == []
    # Marks of scripts where they are part of the letter stay.
    assert other_names("कुतुब मीनार") == []
