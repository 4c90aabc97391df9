"""Claims as data: the committed file is sound, a wrong one is refused by entry and key."""

import pytest

from benchbox.analysis import check_papers
from benchbox.errors import DataError
from benchbox.papers import claims, reference_rows
from benchbox.protocols import protocol_card

ORDERING = """
[[orderings]]
id = "a"
paper = "demo"
table = "Table 1"
text = "A beats B"
order = ["m/a", "m/b"]
metric = "nme_inter_ocular"
group = "full"
protocols = ["300w-full"]
"""
FACT = """
[[facts]]
paper = "demo"
table = "T"
system = "m/a"
quantity = "params"
printed = "48.5 M"
"""


def read(tmp_path, text):
    file = tmp_path / "claims.toml"
    file.write_text(text)
    return claims.read_claims(file)


@pytest.mark.parametrize(
    ("printed", "value", "half"),
    [
        ("48.5 M", 48.5e6, 5e4),
        ("335.4 K", 335_400, 50),
        ("5.28 G", 5.28e9, 5e6),
        ("257828", 257_828, 0.5),
        ("407.4 MB", 407.4e6, 5e4),
    ],
)
def test_a_printed_size_keeps_its_digits(tmp_path, printed, value, half):
    (fact,) = read(tmp_path, FACT.replace("48.5 M", printed)).facts
    assert fact.value == pytest.approx(value)
    assert fact.half_digit == pytest.approx(half)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "a"\n', "", "orderings 1: id: is missing"),
        ('"m/a", "m/b"', '"m/a"', "order: .* method/variant, two or more, best first"),
        ('"m/a", "m/b"', '"m/a", "m/a"', "order: "),
        ('"m/a", "m/b"', '"m/a", "../b"', r"order: .* allowed: method/variant"),
        ('text = "A beats B"', 'claim = "A beats B"', "claim: no such key; allowed: id, paper"),
        ("[[orderings]]", "[[ordering]]", "no such table \\[\\[ordering\\]\\]"),
        ("[[orderings]]", "[[orderings", "is no TOML"),
    ],
)
def test_a_wrong_entry_is_refused_by_key(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, ORDERING.replace(old, new))


def test_settings_are_texts_as_set_takes_them(tmp_path):
    (fact,) = read(tmp_path, FACT + 'settings = { background = "off" }\n').facts
    assert fact.settings == {"background": "off"}
    with pytest.raises(DataError, match=r"settings: .* as --set takes it"):
        read(tmp_path, FACT + "settings = { background = false }\n")


def test_two_orderings_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match="two orderings are called 'a'"):
        read(tmp_path, ORDERING + ORDERING)


# --- the committed file ---------------------------------------------------------------------------


def test_every_label_is_printed_somewhere():
    """The trap: a label spelled otherwise than in the table would claim nothing, silently."""
    printed = {(row.paper, row.method) for row in reference_rows.load_references().rows}
    assert set(claims.load_claims().systems) <= printed


def test_every_claim_speaks_of_a_variant_and_a_protocol_that_exist():
    assert check_papers.unknown_systems() == []
    for ordering in claims.load_claims().orderings:
        for name in ordering.protocols:
            assert ordering.group in protocol_card.load_protocol(name).groups, (ordering.id, name)
