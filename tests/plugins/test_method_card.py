"""Cards are read strictly and without running anybody's code.

Overrides keep the type of the default.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from benchbox.errors import PluginError
from benchbox.plugins import code_digest, method_card, method_schema

GOOD = "def predictor(weights, device): return None\n"
PARAMS = """
[params]
rate = 0.1
steps = 10
flip = true
loss = "l2"
sides = [4, 8]
[budgets.smoke]
steps = 1
"""


def test_shipped_methods_are_found_through_their_entry_point():
    card = method_card.find_card("mean-shape")
    assert card.module == "benchbox_methods.mean_shape"
    assert card.source.startswith("benchbox")
    assert set(card.budgets) == set(method_card.BUDGETS)


def test_listing_imports_no_plugin_and_no_heavy_module():
    code = (
        "import sys; from benchbox.plugins import method_card; method_card.read_cards()\n"
        "heavy = {'torch', 'numpy', 'pandas', 'matplotlib', 'jinja2', 'cv2'} & set(sys.modules)\n"
        "sys.exit(str(heavy or [m for m in sys.modules if m.startswith('benchbox_methods')] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_vendor_whose_package_raises_is_listed_and_fails_only_when_loaded(world):
    vendor = world.collection("benchbox.methods", "vendor_faces")
    (vendor / "__init__.py").write_text("raise RuntimeError('no licence')\n")
    world.method("theirs", GOOD).rename(vendor / "theirs")
    cards, faults = method_card.scan_cards()
    assert {"mean-shape", "theirs"} <= {card.name for card in cards}
    assert faults == []
    with pytest.raises(
        PluginError,
        match=r"vendor_faces 1\.0 \(theirs/\) cannot be imported: RuntimeError: no licence",
    ):
        method_card.import_method(method_card.find_card("theirs"))


def test_a_broken_card_hides_no_other_and_is_blamed_when_asked_for(world):
    folder = world.method("broken", GOOD)
    (folder / "method.toml").write_text("name = \n")
    world.method("whole", GOOD)
    cards, faults = method_card.scan_cards([world.methods])
    assert "whole" in {card.name for card in cards}
    assert [fault.names for fault in faults] == [("broken", "broken")]
    with pytest.raises(PluginError, match=r"broken/method\.toml: is no TOML"):
        method_card.find_card("broken", [world.methods])


def test_two_folders_of_one_name_are_refused_naming_both(world):
    world.method("mean-shape", GOOD)
    with pytest.raises(
        PluginError, match=r"'mean-shape' exists twice, in benchbox\S* .* and --methods .*: rename"
    ):
        method_card.find_card("mean-shape", [world.methods])
    assert "mean-shape" not in {card.name for card in method_card.read_cards([world.methods])}


def test_the_same_folder_given_twice_is_no_clash(world):
    world.method("mine", GOOD)
    assert method_card.find_card("mine", [world.methods, world.methods / "mine"]).name == "mine"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("velocity = 1\n", r"velocity: no such key; allowed: name, title"),
        (
            '[paper]\nyaer = "1"\n',
            r"paper\.yaer: no such key; did you mean year\? allowed: title, authors",
        ),
        (
            "[params]\na = 1\n[budgets.smoke]\nb = 2\n",
            r"budgets\.smoke\.b: no such key; allowed: a",
        ),
        ("[budgets.tiny]\n", r"budgets\.tiny: no such key; allowed: smoke, quick, paper"),
        (
            "[params]\na = 1\n[budgets.smoke]\na = 2.5\n",
            r"budgets\.smoke\.a: 2\.5 is not allowed; allowed: int, as in \[params\]",
        ),
        (
            "[params]\na = 1\n[budgets.smoke]\na = true\n",
            r"budgets\.smoke\.a: True is not allowed; allowed: int",
        ),
        ("[params]\na = 1\n[before]\nb = 2\n", r"before\.b: no such key; allowed: a"),
        ("[params]\na = {b = 1}\n", r"params\.a: a small_letter_name = a bool"),
        (
            '[variants.w]\ntitle = "W"\n[variants.w.params]\nq = 1\n',
            r"variants\.w\.params\.q: no such key; allowed: none",
        ),
        ('[variants.submitted]\ntitle = "W"\n', r"variants\.submitted: may not be called so"),
        (
            '[variants."../x"]\ntitle = "W"\n',
            r"variants\.\.\./x: '\.\./x' is not allowed; allowed: up to 64 small",
        ),
    ],
)
def test_a_wrong_card_names_file_key_and_what_is_allowed(world, extra, message):
    folder = world.method("mine", GOOD, extra)
    with pytest.raises(PluginError, match=r"mine/method\.toml: .*" + message):
        method_card.read_card(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'name = "mine"',
            'name = "../mine"',
            r"name: '\.\./mine' is not allowed; allowed: up to 64 small letters",
        ),
        (
            'task = ["landmarks"]',
            'task = ["lips"]',
            r"task: \['lips'\] is not allowed; allowed: a list of landmarks \| gaze2d \| gaze3d",
        ),
        ('title = "T"', "title = 3", r"title: 3 is not allowed; allowed: a text"),
        ('default = "v"', 'default = "w"', r"default: 'w' is not allowed; allowed: a variant: v"),
    ],
)
def test_a_wrong_head_of_a_card_is_named(world, old, new, message):
    folder = world.method("mine", GOOD)
    file = folder / "method.toml"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(PluginError, match=message):
        method_card.read_card(folder)


def test_settings_merge_defaults_budget_variant_overrides_in_this_order(world):
    folder = world.method(
        "mine",
        GOOD,
        PARAMS + '[variants.w]\ntitle = "W"\n[variants.w.params]\nsteps = 5\nloss = "l1"\n',
    )
    card = method_card.read_card(folder)
    assert method_card.merge_params(card) == {
        "rate": 0.1,
        "steps": 10,
        "flip": True,
        "loss": "l2",
        "sides": [4, 8],
    }
    assert method_card.merge_params(card, budget="smoke")["steps"] == 1
    # a variant is what it says at every budget
    assert method_card.merge_params(card, "w", "smoke")["steps"] == 5
    assert method_card.merge_params(card, "w", "smoke", {"steps": "7"})["steps"] == 7


def test_overrides_take_the_type_of_the_default(world):
    card = method_card.read_card(world.method("mine", GOOD, PARAMS))
    given = {"rate": "1", "steps": "3", "flip": "off", "loss": "7", "sides": "1, 2"}
    assert method_card.merge_params(card, overrides=given) == {
        "rate": 1.0,
        "steps": 3,
        "flip": False,
        "loss": "7",
        "sides": [1, 2],
    }
    assert type(method_card.merge_params(card, overrides=given)["rate"]) is float


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stepz": "1"}, r"no parameter 'stepz'; did you mean 'steps'\?"),
        ({"steps": "many"}, r"--set steps=many: must be int, like 10"),
        ({"flip": "maybe"}, r"--set flip=maybe: must be on or off"),
        # Python reads 15, and a digit of another script as well
        ({"steps": "1_5"}, r"--set steps=1_5: must be int, like 10"),
        ({"rate": "1_5"}, r"--set rate=1_5: must be float, like 0\.1"),
        ({"sides": "1,2_0"}, r"--set sides=1,2_0: must be int"),
        ({"rate": "nan"}, r"--set rate=nan: must be a finite number"),
    ],
)
def test_wrong_overrides_are_refused(world, given, message):
    card = method_card.read_card(world.method("mine", GOOD, PARAMS))
    with pytest.raises(PluginError, match=message):
        method_card.merge_params(card, overrides=given)


def test_unknown_names_say_what_was_meant():
    with pytest.raises(
        PluginError, match=r"unknown method 'mean-shap'; did you mean 'mean-shape'\?"
    ):
        method_card.find_card("mean-shap")
    with pytest.raises(PluginError, match=r"has no variant 'b7'; known: mean-shape"):
        method_card.merge_params(method_card.find_card("mean-shape"), "b7")
    with pytest.raises(PluginError, match=r"unknown budget 'huge': one of smoke, quick, paper"):
        method_card.merge_params(method_card.find_card("mean-shape"), budget="huge")


def test_a_variant_changes_what_a_budget_set(world):
    """A variant ten times as dear may do less at one budget, and what the paper says at another."""
    variants = '[variants.big]\ntitle = "B"\nparams = {rate = 0.5}\nbudgets.quick = {steps = 3}\n'
    world.method("mine", GOOD, PARAMS + variants)
    card = method_card.find_card("mine", [world.methods])
    found = [
        method_card.merge_params(card, "big", budget)["steps"]
        for budget in ("smoke", "quick", "paper")
    ]
    assert found == [1, 3, 10]
    assert method_card.merge_params(card, "big", "quick", {"steps": "7"})["steps"] == 7
    assert method_card.merge_params(card, "v", "quick")["steps"] == 10


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (
            "budgets.swift = {steps = 3}",
            r"variants.big.budgets.swift: no such key; allowed: smoke, quick, paper",
        ),
        (
            "budgets.quick = {stepz = 3}",
            r"variants.big.budgets.quick.stepz: no such key; did you mean steps",
        ),
        (
            "budgets.quick = {steps = 'three'}",
            r"variants.big.budgets.quick.steps: 'three' is not allowed; allowed: int",
        ),
    ],
)
def test_a_variants_budget_is_read_as_strictly_as_any(world, line, match):
    world.method("mine", GOOD, PARAMS + f'[variants.big]\ntitle = "B"\n{line}\n')
    with pytest.raises(PluginError, match=match):
        method_card.find_card("mine", [world.methods])


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (
            'shares = { variant = "w", files = "a*" }',
            "shares.variant: 'w' is not allowed; allowed: another variant",
        ),
        (
            'shares = { variant = "u", files = "a*" }',
            "shares.variant: 'u' is not allowed; allowed: another variant",
        ),
        (
            'shares = { variant = "v", files = "../a*" }',
            "allowed: a pattern of names in the work folder",
        ),
        (
            'shares = { variant = "v", files = "a*", apart = ["x"] }',
            r"apart: \['x'\] is not allowed; allowed: a list of parameters",
        ),
        ('shares = { variant = "v" }', "files: is missing"),
    ],
)
def test_what_a_variant_shares_is_read_strictly(world, line, match):
    world.method("m", GOOD, f'{PARAMS}[variants.u]\ntitle = "U"\n{line}\n')
    with pytest.raises(PluginError, match=match):
        method_card.find_card("m", [world.methods])


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(PluginError, match=r"--methods .*: no method\.toml in it"):
        method_card.read_cards([tmp_path])


def test_a_local_folder_is_imported_with_its_relative_imports_and_its_faults_named(world):
    folder = world.method("mine", "from .model import predictor\n")
    (folder / "model.py").write_text(GOOD)
    assert callable(
        method_card.import_method(method_card.find_card("mine", [world.methods])).predictor
    )
    world.method("empty", "train = 3\n")
    with pytest.raises(PluginError, match=r"'empty' of --methods .* has no function `predictor`"):
        method_card.import_method(method_card.find_card("empty", [world.methods]))
    world.method("wrong", GOOD + "train = 3\n")
    with pytest.raises(PluginError, match=r"'wrong' .* has no function `train`"):
        method_card.import_method(method_card.find_card("wrong", [world.methods]))


def test_notes_are_what_the_readme_says_of_the_paper(world):
    folder = world.method("m", GOOD)
    card = method_card.find_card("m", [world.methods])
    assert method_card.readme_notes(card) == ""
    stated, chosen = (
        "## What is stated, and met\n\nfour stages\n",
        "## What was chosen\n\nfive epochs\n",
    )
    (folder / "README.md").write_text(f"# M\n\n{stated}\n## Budgets\n\nquick\n\n{chosen}")
    assert method_card.readme_notes(card) == f"{stated}\n{chosen}"
    (folder / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(PluginError, match=r"README.md: is not a text file"):
        method_card.readme_notes(card)


def test_every_shipped_method_of_a_paper_says_what_was_stated_and_chosen():
    for card in method_card.read_cards():
        if card.source.startswith("benchbox") and card.paper:
            assert "## What was chosen" in method_card.readme_notes(card), card.name
            # a list is joined, not printed as Python
            assert "[" not in card.paper.get("authors", ""), card.name


def test_the_digest_follows_code_and_card_but_not_notes(world):
    folder = world.method("mine", GOOD)
    card = method_card.read_card(folder)
    first = code_digest.hash_method_code(card)
    (folder / "README.md").write_text("words")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"0")
    assert code_digest.hash_method_code(card) == first
    (folder / "model.py").write_text("x = 1\n")
    assert code_digest.hash_method_code(card) != first


def test_names_that_would_leave_the_results_folder_are_refused():
    for name in ("../x", "a/b", "", ".x", "A", "x" * 65, "a+b"):
        with pytest.raises(PluginError, match="it names a folder of results"):
            method_card.check_method_name(name)
    assert isinstance(method_card.find_card("mean-shape").folder, Path)


LOSS = '[params]\nloss = { default = "l1", allowed = ["l1", "l2"] }\n'


def test_a_parameter_may_say_what_it_may_be(world):
    card = method_card.read_card(world.method("mine", GOOD, LOSS))
    assert method_card.merge_params(card)["loss"] == "l1"
    assert method_card.merge_params(card, overrides={"loss": "l2"})["loss"] == "l2"
    with pytest.raises(PluginError, match="--set loss=banana: must be one of l1, l2"):
        method_card.merge_params(card, overrides={"loss": "banana"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"l1", allowed', '"l3", allowed', "params.loss: allowed must be a list with the default"),
        ('["l1", "l2"]', '["l1", 2]', "params.loss: allowed must be strs, as the default is"),
        (
            "] }\n",
            '] }\n[budgets.smoke]\nloss = "l3"\n',
            r"smoke.loss: 'l3' is not allowed; allowed: l1 \| l2",
        ),
    ],
)
def test_allowed_values_are_read_strictly(world, old, new, message):
    folder = world.method("mine", GOOD, LOSS.replace(old, new))
    with pytest.raises(PluginError, match=message):
        method_card.read_card(folder)


@pytest.mark.parametrize(
    "value", ["no_such_package", "vendor.methdos", "vendor:METHODS", "vendor.methods:mine", "empty"]
)
def test_an_entry_point_that_leads_to_no_method_is_named(world, value):
    (world.collection("benchbox.methods", "vendor") / "methods").mkdir()
    world.method("theirs", GOOD).rename(world.site / "vendor" / "methods" / "theirs")
    (world.site / "empty").mkdir()
    (world.site / "empty" / "__init__.py").write_text("")
    entry_points = world.site / "vendor-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[benchbox.methods]\nmine = vendor.methods\n")
    cards, faults = method_card.scan_cards()
    assert "theirs" in {card.name for card in cards}
    assert faults == []
    entry_points.write_text(f"[benchbox.methods]\nmine = {value}\n")
    blame = (
        rf"vendor 1\.0: benchbox\.methods entry point 'mine = {value}' names no package of method"
    )
    cards, faults = method_card.scan_cards()
    assert "mean-shape" in {card.name for card in cards}
    assert len(faults) == 1
    for name in ("mine", "theirs"):  # the entry point's own name, and one that it may hide
        with pytest.raises(PluginError, match=blame):
            method_card.find_card(name)


def test_a_byte_order_mark_in_front_of_a_card_is_no_fault(world):
    file = world.method("mine", GOOD, PARAMS) / "method.toml"
    plain = method_card.read_card(file.parent)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert method_card.read_card(file.parent) == plain


@pytest.mark.parametrize("text", ["a = " + 20_000 * "[", f"a = {5000 * '1'}", f"{5000 * 'a'} = 1"])
def test_a_card_that_would_exhaust_the_reader_is_refused_in_one_short_line(world, text):
    file = world.method("mine", GOOD) / "method.toml"
    file.write_text(text)
    with pytest.raises(PluginError, match=r"mine/method\.toml: ") as fault:
        method_card.read_card(file.parent)
    assert len(str(fault.value)) < 500 + len(str(file))


def test_what_else_a_parameter_may_be_moves_no_digest(world):
    folder = world.method("mine", GOOD, PARAMS)
    file = folder / "method.toml"
    before = method_card.read_card(folder)
    digest = code_digest.hash_method_code(before)
    plain = file.read_text()
    file.write_text(plain.replace('"l2"', '{default = "l2", allowed = ["l1", "l2"]}'))
    after = method_card.read_card(folder)
    assert after.params == before.params
    assert code_digest.hash_method_code(after) == digest
    with pytest.raises(PluginError, match=r"--set loss=banana: must be one of l1, l2"):
        method_card.merge_params(after, overrides={"loss": "banana"})
    # the default decides numbers
    file.write_text(plain.replace('"l2"', '{default = "l1", allowed = ["l1", "l2"]}'))
    assert code_digest.hash_method_code(method_card.read_card(folder)) != digest


def test_every_choice_of_a_shipped_method_has_its_allowed_values():
    """Paths and files aside, a text parameter is a choice: a slip in it trained something else."""
    free = {"weights", "card", "model"}
    for card in method_card.read_cards():
        texts = {key for key, value in card.params.items() if isinstance(value, str)}
        assert texts - free <= set(card.allowed), card.name


@pytest.mark.parametrize("name", ["con", "nul", "aux", "com1", "lpt9", "nul.v2", "a."])
def test_a_name_that_windows_cannot_hold_is_refused(world, name):
    with pytest.raises(PluginError, match=r"no dot at the end, and not con, nul"):
        method_card.check_method_name(name)
    with pytest.raises(PluginError, match=r"is not allowed; allowed: up to 64"):
        method_card.read_card(world.method("mine", GOOD, f'[variants."{name}"]\ntitle = "W"\n'))
    method_card.check_method_name(f"my-{name}x")


def test_authors_family_name_first_stay_whole(world):
    line = '[paper]\nauthors = ["Doe, Jane", "King, Jr., Martin", "X. Shao"]\n'
    card = method_card.read_card(world.method("mine", GOOD, line))
    assert card.paper["authors"] == "Jane Doe, Martin King Jr., X. Shao"
    text = '[paper]\nauthors = "Doe, Jane, van der Roe, Rik"\n'
    with pytest.raises(PluginError, match=r"paper: .* authors as a list of names"):
        method_card.read_card(world.method("two", GOOD, text))


def test_a_line_break_in_a_title_is_a_space(world):
    folder = world.method("mine", GOOD, '[variants.w]\ntitle = """A\n  | B"""\n')
    assert method_card.read_card(folder).variants["w"].title == "A | B"


def test_a_number_may_have_a_range_that_defaults_budgets_and_overrides_keep(tmp_path):
    """`--set batch=0` ended in a traceback of the recipe, after the data had been read."""
    world_card = 'name = "m"\ntitle = "T"\ntask = ["landmarks"]\nsummary = "S"\ndefault = "v"\n'
    tail = '[params]\nbatch = {default = 4, range = [1, 64]}\n[variants.v]\ntitle = "V"\n'
    (tmp_path / "m").mkdir()
    file = tmp_path / "m" / "method.toml"
    file.write_text(world_card + tail)
    card = method_schema.read_card(file.parent)
    assert card.params == {"batch": 4}
    assert method_card.merge_params(card, overrides={"batch": "64"})["batch"] == 64
    for text in ("0", "65", "-1"):
        with pytest.raises(PluginError, match=r"batch=.*: must be from 1 to 64"):
            method_card.merge_params(card, overrides={"batch": text})
    with pytest.raises(PluginError, match="a whole number of 64 bits"):
        method_card.merge_params(card, overrides={"batch": "9" * 30})
    file.write_text(world_card + tail + "budgets.smoke = {batch = 0}\n")
    with pytest.raises(PluginError, match=r"batch: 0 is not allowed; allowed: from 1 to 64"):
        method_schema.read_card(file.parent)
    for entry in ("{default = 0, range = [1, 64]}", "{default = 4, range = [1, nan]}", "nan"):
        file.write_text(world_card + tail.replace("{default = 4, range = [1, 64]}", entry))
        with pytest.raises(PluginError, match="batch: "):
            method_schema.read_card(file.parent)
