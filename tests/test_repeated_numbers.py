"""Repeated numbers are found as by comparing all with all."""

import numpy as np
import pytest

from benchbox.repeated_numbers import find_repeated_numbers


@pytest.mark.parametrize("different", [1, 40, 3000, 200_000])
@pytest.mark.parametrize("count", [0, 1, 5000])
def test_the_same_as_counting(count, different):
    rng = np.random.default_rng(count + different)
    numbers = rng.normal(400, 50, different)[rng.integers(0, different, count)]
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(find_repeated_numbers(numbers), np.flatnonzero(counts[which] > 1))


def test_one_pair_among_many_is_found_wherever_it_stands():
    numbers = np.random.default_rng(0).uniform(350, 450, 100_000)
    for first, second in ((0, 99_999), (0, 1), (500, 70_000)):
        pair = numbers.copy()
        pair[second] = pair[first]
        assert find_repeated_numbers(pair).tolist() == [first, second]


def test_numbers_that_follow_each_other_are_no_repeats():
    following = 400 + np.arange(100_000) * np.spacing(400.0)
    assert not len(find_repeated_numbers(following))
    assert find_repeated_numbers(np.append(following, following[7])).tolist() == [7, 100_000]
