"""Ordinal coding by hand and by its promises: equations 1-3 of TAT."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchbox.training.ordinal_coding import OrdinalCode, init_ordinal_head, ordinal_loss

ONE = OrdinalCode(torch.tensor([0.0]), torch.tensor([1.0]), (4,))


def logits(codes: torch.Tensor) -> torch.Tensor:
    """Step-shaped outputs that are sure of themselves."""
    return (codes * 2 - 1) * 20


def test_equation_1_by_hand():
    """Bins of 1 cm: 2.5 lies above the edges 1 and 2; an edge itself counts as reached."""
    assert ONE.encode(torch.tensor([[2.5], [2.0], [0.0], [4.0], [9.0]])).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
    ]


def test_equation_3_by_hand_and_a_half_counts_as_reached():
    found = torch.tensor([[9.0, 0.0, -9.0, -9.0], [-9.0, -9.0, -9.0, -9.0]])
    assert ONE.counts(found).tolist() == [[2], [0]]
    assert ONE.decode(found).flatten().tolist() == [2.5, 0.5]


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-14, 3)), min_size=2, max_size=20),
    st.sampled_from([72, 98, 133]),
)
def test_a_round_trip_is_off_by_half_a_bin_at_most(values, bins):
    target = torch.tensor(values, dtype=torch.float64)
    code = OrdinalCode.fit(target, (bins, bins))
    back = code.decode(logits(code.encode(target)))
    assert ((back - target).abs() <= code.size / 2 + 1e-9).all()


def test_values_beyond_the_training_range_are_answered_by_the_last_interval():
    target = torch.tensor([[0.0], [10.0]])
    code = OrdinalCode.fit(target, (9,))
    assert code.size.item() == pytest.approx(1.0)  # B + 1 intervals
    back = code.decode(logits(code.encode(torch.tensor([[-3.0], [0.0], [10.0], [50.0]]))))
    assert back.flatten().tolist() == pytest.approx([0.5, 0.5, 9.5, 9.5])


def test_the_axes_keep_their_own_bins():
    """GazeCN: 72 horizontal and 98 vertical bins; a mix-up of the two would show at once."""
    target = torch.tensor([[0.0, -10.0], [7.3, -0.1], [3.0, -5.0]])
    code = OrdinalCode.fit(target, (72, 98))
    assert code.encode(target).shape == (3, 170)
    assert code.size.tolist() == pytest.approx([0.1, 0.1])
    assert code.counts(logits(code.encode(target)))[:2].tolist() == [[0, 0], [72, 98]]


def test_the_loss_grows_with_the_distance():
    code = OrdinalCode.fit(torch.tensor([[0.0], [10.0]]), (133,))
    truth = code.encode(torch.tensor([[4.0]]))
    steps = [
        ordinal_loss(logits(code.encode(torch.tensor([[g]]))), truth).item()
        for g in (4, 4.5, 5, 6, 8, 10)
    ]
    assert steps == sorted(steps)
    assert steps[0] < steps[1]
    # each wrong bin costs its 20 nats: 0.5 cm are 6 or 7 bins
    assert steps[1] == pytest.approx(20 * 7, abs=21)


def test_the_loss_by_hand():
    """Σ over bins, mean over faces: -log(1/2) for an undecided bin."""
    found, wanted = torch.zeros(2, 3), torch.tensor([[1.0, 0, 0], [1, 1, 1]])
    assert ordinal_loss(found, wanted).item() == pytest.approx(3 * math.log(2))
    weight = torch.tensor([[1.0, 0, 0], [0, 0, 0]])
    assert ordinal_loss(found, wanted, weight).item() == pytest.approx(math.log(2) / 2)


def test_a_soft_code_is_best_met_by_itself():
    word = torch.tensor([[0.9, 0.4]])
    best = ordinal_loss(torch.logit(word), word)
    assert all(
        ordinal_loss(torch.logit(torch.tensor([[a, 0.4]])), word) > best for a in (0.8, 0.99)
    )


def test_a_code_survives_its_weights_file_bit_by_bit():
    code = OrdinalCode.fit(
        torch.rand(50, 2, generator=torch.Generator().manual_seed(0)) * 3.3, (72, 98)
    )
    back = OrdinalCode.from_facts(code.facts())
    assert torch.equal(back.offset, code.offset)
    assert torch.equal(back.size, code.size)
    assert back.bins == (72, 98)


def test_an_axis_that_never_moves_is_still_a_number():
    code = OrdinalCode.fit(torch.full((3, 1), 2.0), (5,))
    assert code.decode(logits(code.encode(torch.tensor([[2.0]])))).item() == pytest.approx(2.5)


def test_a_head_begins_at_the_shares_of_its_bins_and_as_one_number_per_axis():
    """Before it has learned it answers the shares.

    One feature then moves all bins of an axis by the same logit.
    """
    torch.manual_seed(0)
    head = torch.nn.Linear(4, 5)
    codes = torch.tensor([[1.0, 1, 0, 1, 0], [1, 0, 0, 1, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
    init_ordinal_head(head, codes, (3, 2))
    assert head(torch.zeros(1, 4)).sigmoid()[0].tolist() == pytest.approx(
        [0.98, 0.25, 0.02, 0.5, 0.02], abs=1e-6
    )
    moved = (head(torch.rand(1, 4)) - head.bias)[0]
    assert moved[:3].tolist() == pytest.approx([moved[0].item()] * 3, abs=1e-6)
    assert moved[3:].tolist() == pytest.approx([moved[3].item()] * 2, abs=1e-6)
    assert abs(moved[0].item() - moved[3].item()) > 1e-3
