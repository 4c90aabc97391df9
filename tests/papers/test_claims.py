"""Claims as data: the committed file is sound, a wrong one is refused by entry and key."""

import itertools

import pytest

from benchbox.analysis import check_papers
from benchbox.errors import DataError
from benchbox.metrics import metric_names
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
    known, rows = claims.load_claims(), reference_rows.load_references().rows
    printed = {(row.paper, row.method) for row in rows}
    assert set(known.systems) <= printed
    for cells in known.cells:
        of_subset = {row.method for row in rows if cells.subset in row.subset}
        assert {*cells.labels, *cells.none} <= of_subset, cells.subset
        assert bool(cells.none) == bool(cells.why)


def test_every_claim_speaks_of_a_variant_and_a_protocol_that_exist():
    """The trap: a metric or an option that no card has would be "not measured" for ever."""
    assert check_papers.unknown_systems() == []
    for ordering in claims.load_claims().orderings:
        for protocol in ordering.protocols:
            for entry in ordering.order:
                _, options = claims.split_options(entry)
                name = claims.name_protocol(protocol, options)
                card = protocol_card.load_protocol(name)
                assert card.name == name, (ordering.id, name)
                assert ordering.group in card.groups, (ordering.id, name)
                known = [*metric_names.list_metrics(card), claims.TRAINING_GAP]
                assert ordering.metric in known, (ordering.id, name)


@pytest.mark.parametrize(
    ("method", "subset", "system"),
    [
        ("Our random", "iphone orientation 1, MG.0", "tat/mg0"),
        ("Our random", "iphone orientation 1, MG.3", "tat/mg3"),
        ("Our random", "iphone orientation 1, MG.4", "tat/random"),
        ("Finetune", "iphone orientation 1, MG.0", "tat/mg0"),
        ("Finetune", "iphone orientation 1, MG.2", ""),
        ("Finetune", "iphone orientation 1, MG.4", "tat/finetune"),
    ],
)
def test_a_column_of_a_mini_generation_is_the_variant_that_stops_there(method, subset, system):
    """The trap: TAT's final run was held against the print of its first mini-generation."""
    known = claims.load_claims()
    for row in reference_rows.load_references().rows:
        if (row.paper, row.method, row.subset) == ("tat", method, subset):
            found, why = known.find_system(row)
            assert found == system
            assert bool(why) == (not system)
            return
    pytest.fail("no such row")


def test_every_column_that_claims_an_ordering_prints_it():
    """Our own reading of a table: each claimed ordering is the one of the printed numbers.

    The trap: a claim typed the wrong way round would make the paper seem not to hold.
    """
    known = claims.load_claims()
    printed: dict[tuple, set[float]] = {}
    for row in reference_rows.load_references().rows:
        system, _ = known.find_system(row)
        if system and row.value is not None:
            for protocol in row.protocols:
                place = (row.paper, row.table, system, protocol, row.group, row.metric)
                printed.setdefault(place, set()).add(row.value)
    checked = 0
    for ordering in known.orderings:
        for protocol in ordering.protocols:
            values = []
            for entry in ordering.order:
                system, options = claims.split_options(entry)
                name = claims.name_protocol(protocol, options)
                tail = (system, name, ordering.group, ordering.metric)
                values.append(printed.get((ordering.paper, ordering.table, *tail), set()))
            if not all(len(value) == 1 for value in values):
                continue
            numbers = [value.copy().pop() for value in values]
            assert ordering.metric != claims.TRAINING_GAP, "no table prints one"
            if not metric_names.parse_metric(ordering.metric).lower_is_better:
                numbers = [-number for number in numbers]
            slack = ordering.margin if ordering.or_equal else 0.0
            for better, worse in itertools.pairwise(numbers):
                assert better <= worse + slack * abs(worse), (ordering.id, protocol, numbers)
            if not ordering.or_equal:
                assert len(set(numbers)) == len(numbers), (ordering.id, protocol, numbers)
            checked += 1
    assert checked >= 45
