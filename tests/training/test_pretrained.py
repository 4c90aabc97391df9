"""Public weights from a file: what is no state dict is refused, a pickle runs nothing."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchbox.errors import DataError
from benchbox.training.pretrained import copy_pretrained, imagenet_pixel_map, read_pretrained


def test_what_is_no_state_dict_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such weights file"):
        read_pretrained(tmp_path / "absent.pth")
    (tmp_path / "broken.pth").write_bytes(b"not a file of torch")
    with pytest.raises(DataError, match="is no file of weights"):
        read_pretrained(tmp_path / "broken.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(DataError, match="holds no state dict"):
        read_pretrained(tmp_path / "list.pth")


class Evil:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("touched"),)


def test_a_pickle_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(DataError, match="is no file of weights"):
        read_pretrained(tmp_path / "evil.pth")
    assert not (tmp_path / "touched").exists()


def test_both_kinds_of_file_give_the_same_tensors(tmp_path):
    tensors = {"a.weight": torch.arange(6.0).view(2, 3)}
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save(
        {"state_dict": {f"module.{key}": value for key, value in tensors.items()}},
        tmp_path / "a.pth",
    )
    for name in ("a.safetensors", "a.pth"):
        assert torch.equal(read_pretrained(tmp_path / name)["a.weight"], tensors["a.weight"])


def test_a_tensor_that_is_missing_or_does_not_fit_is_named():
    layer = torch.nn.Linear(3, 2)
    copy_pretrained(layer, {"weight": torch.ones(2, 3)}, "weight", "file")
    assert torch.equal(layer.weight, torch.ones(2, 3))
    with pytest.raises(
        DataError, match=r"file: bias must be \(2,\), is nothing: weights of another network"
    ):
        copy_pretrained(layer, {"weight": torch.ones(2, 3)}, ("weight", "bias"), "file")


def test_our_pixels_become_imagenets():
    scale, offset = imagenet_pixel_map()
    black, white = -scale + offset, scale + offset
    assert black.tolist() == pytest.approx(
        [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rel=1e-5
    )
    assert white.tolist() == pytest.approx([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225], rel=1e-5)
