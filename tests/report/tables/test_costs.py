"""What networks weigh: whose sizes they are, and whose network a latency belongs to."""

import pytest

from benchbox.report.inputs import results as stored
from benchbox.report.site_build import site
from benchbox.report.tables import costs
from benchbox.runs import run_folders

SAVED = {
    "method": "demo-a",
    "variant": "base",
    "params": 2_000_000,
    "macs": 60_000_000,
    "latency_ms": {
        "cpu": {"eager": {"1": {"median": 12.5, "low": 12.0, "high": 13.0}}},
        "cuda": "not measured",
    },
    "environment": {"cpu": "invented", "threads": 2, "gpu": None},
}
PROFILES = {("demo-a", "base"): SAVED}
OF_OTHER_CODE = {("demo-a", "base"): {**SAVED, "code": {"method": "sha256:another"}}}


@pytest.fixture
def cost(make, tmp_path):
    """Return a function that stores one run and says what its network weighs."""

    def of(profiles=PROFILES, **options):
        make("demo-a", 0.04, **options)
        return costs.network_cost(stored.read_results(tmp_path / "results")[0][0], profiles)

    return of


def test_without_an_own_count_the_papers_sizes_are_said_to_be_the_papers(cost):
    assert cost() == costs.Cost(2e6, 6e7, 12.5, True, "invented, 2 threads")


def test_a_smaller_network_of_a_quick_run_has_no_latency(cost):
    """The trap: the published network was timed, and a quarter of it was trained."""
    assert cost(profile={"params": 500_000, "macs": 10_000_000}) == costs.Cost(5e5, 1e7)


def test_the_network_that_was_timed_keeps_its_latency(cost):
    assert cost(profile={"params": 2_000_000, "macs": 60_000_000}) == costs.Cost(
        2e6, 6e7, 12.5, False, "invented, 2 threads"
    )


def test_a_run_changed_by_hand_is_another_network(cost):
    assert not cost(overrides={"width": 4})


def test_a_profile_of_other_code_is_not_a_runs_own(cost):
    """Trap: the network of last month's code beside the number of this month's."""
    assert not cost(OF_OTHER_CODE)


def test_a_network_that_the_run_counted_alike_is_the_same_one(cost):
    counted = {"params": 2_000_000, "macs": 60_000_000}
    assert cost(OF_OTHER_CODE, profile=counted).latency_ms == 12.5


@pytest.mark.parametrize("value", [None, "many", -1, 0, True, []])
def test_what_is_no_positive_number_was_not_measured(cost, value):
    assert not cost({}, profile={"params": value, "macs": value})


def test_a_gpu_counts_before_the_cpu(cost):
    both = {**SAVED["latency_ms"], "cuda": {"eager": {"1": {"median": 1.5}}}}
    found = cost(
        {("demo-a", "base"): {**SAVED, "latency_ms": both, "environment": {"gpu": "A card"}}}
    )
    assert (found.latency_ms, found.machine) == (1.5, "A card")


def test_a_damaged_profile_is_named_and_the_rest_stands(make, tmp_path):
    make("demo-a", 0.04)
    place = tmp_path / "results" / "profiles" / "demo-a" / "base.json"
    place.parent.mkdir(parents=True)
    place.write_text("{")
    whole = {**SAVED, "schema": 1, "method": "demo-a", "variant": "wide"}
    run_folders.save_profile(tmp_path / "results", whole)
    sources = site.gather_sources(tmp_path / "results")
    assert [
        (problem.place, problem.reason.split(":")[0])
        for problem in sources.problems
        if not problem.protocol
    ] == [("results/profiles", "profiles/demo-a/base.json")]
    assert len(sources.results) == 1
    assert list(sources.profiles) == [("demo-a", "wide")], "one broken file took the others along"
