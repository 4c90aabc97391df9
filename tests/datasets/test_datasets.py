"""The table of datasets."""

import pytest

from benchbox import datasets
from benchbox.errors import DataError


@pytest.mark.parametrize("name", sorted(datasets.DATASETS))
def test_every_dataset_fulfils_the_interface(name):
    module = datasets.open_dataset(name)
    access = module.ACCESS
    assert all((access.title, access.where, access.terms, access.citation, access.layout))
    assert callable(module.index)
    assert callable(module.verify)


def test_an_unknown_dataset_is_refused_with_advice():
    with pytest.raises(DataError, match=r"no dataset is called '300-w'; did you mean 300w"):
        datasets.open_dataset("300-w")
    with pytest.raises(
        DataError, match=r"no dataset is called 'os'; there are .*300w, .*synth-300w, .*ytf68"
    ):
        datasets.open_dataset("os")
