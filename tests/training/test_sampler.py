"""Passes over a set: whole, shuffled anew, and the same whichever batch is drawn first."""

import numpy as np

from benchbox.training.sampler import epoch_rows


def test_each_pass_visits_every_row_once_and_can_be_drawn_again():
    rows = np.concatenate([epoch_rows([3, 1], 7, first, 3) for first in (0, 3, 6, 9, 12)])
    assert sorted(rows[:7]) == sorted(rows[7:14]) == list(range(7))
    assert list(rows[:7]) != list(rows[7:14])
    assert list(epoch_rows([3, 1], 7, 5, 4)) == list(rows[5:9])


def test_an_order_follows_from_its_seed_alone():
    """Committed runs were drawn in this order.

    A change of it would make them runs of another recipe.
    """
    wanted = np.random.default_rng([3, 2, 4, 1]).permutation(7)
    assert list(epoch_rows([3, 2], 7, 4 * 7, 7, after=[1])) == list(wanted)
    assert list(epoch_rows([3, 2], 7, 4 * 7, 7)) != list(wanted)
