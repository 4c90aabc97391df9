"""The authors' release of G&LSR.

Counts, and every step of a picture's path against a second implementation.

The second one follows the published description with OpenCV and bare tensor operations and shares
no code with the method: on made weights everywhere, on the published ones where they are at hand.
"""

from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchbox.costs.op_count import count_module
from benchbox.datasets import split
from benchbox.datasets.landmarks import glsr_release
from benchbox.errors import DataError, ProtocolError
from benchbox.layouts import LAYOUTS
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card as protocols
from benchbox.runs import execute, run_plan
from benchbox.types import Job, Sample

CARD = method_card.find_card("glsr")
MODULE = method_card.import_method(CARD)


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


release = part("release")


# --- the second implementation --------------------------------------------------------------------


def localise(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """Valid convolutions; pooling comes before PReLU."""
    for conv, slope, stride, pool in (
        (0, 2, 2, 1),
        (3, 4, 1, 0),
        (5, 7, 1, 1),
        (8, 9, 1, 0),
        (10, 12, 1, 1),
        (13, 14, 1, 0),
    ):
        x = F.conv2d(x, w[f"localization.{conv}.weight"], w[f"localization.{conv}.bias"], stride)
        x = F.max_pool2d(x, 2) if pool else x
        x = F.prelu(x, w[f"localization.{slope}.weight"])
    x = F.linear(x.flatten(1), w["fc_loc.0.weight"], w["fc_loc.0.bias"])
    return F.linear(F.prelu(x, w["fc_loc.1.weight"]), w["fc_loc.2.weight"], w["fc_loc.2.bias"])


def regress(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """Inverted residuals in their printed order; the first one has no expansion."""

    def conv_bn(x: Tensor, conv: str, bn: str, stride: int = 1, groups: int = 1) -> Tensor:
        kernel = w[f"{conv}.weight"]
        x = F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2, 1, groups)
        stats = (
            w[f"{bn}.running_mean"],
            w[f"{bn}.running_var"],
            w[f"{bn}.weight"],
            w[f"{bn}.bias"],
        )
        return F.batch_norm(x, *stats)

    x = F.relu(conv_bn(x, "features.0.0", "features.0.1", 2))
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1]
    for number, stride in enumerate(strides, start=1):
        start, y, at = f"features.{number}.conv", x, 0
        if number > 1:
            y, at = F.relu(conv_bn(y, f"{start}.0", f"{start}.1")), 3
        y = F.relu(conv_bn(y, f"{start}.{at}", f"{start}.{at + 1}", stride, groups=y.shape[1]))
        y = conv_bn(y, f"{start}.{at + 3}", f"{start}.{at + 4}")
        x = x + y if y.shape == x.shape else y
    x = F.relu(conv_bn(x, "features.18.0", "features.18.1")).flatten(1)
    for linear, slope in ((0, 1), (2, 3)):
        x = F.prelu(
            F.linear(x, w[f"pts_net.{linear}.weight"], w[f"pts_net.{linear}.bias"]),
            w[f"pts_net.{slope}.weight"],
        )
    return F.linear(x, w["pts_net.4.weight"], w["pts_net.4.bias"])


def through_opencv(picture: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    return cv2.warpAffine(picture, matrix, (side, side))


def exactly(picture: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """Sample without OpenCV's table of 1/32 px and without rounding to bytes."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    y, x = np.mgrid[:side, :side]
    source = np.einsum("ij,jyx->yxi", inverse[:2], np.stack([x, y, np.ones_like(x)]).astype(float))
    size = np.array([picture.shape[1], picture.shape[0]])
    grid = torch.from_numpy((2 * source + 1) / size - 1)[None]
    image = torch.from_numpy(picture.copy()).double().permute(2, 0, 1)[None]
    return F.grid_sample(image, grid, align_corners=False)[0].permute(1, 2, 0).numpy()


def second(
    weights: tuple[dict[str, Tensor], dict[str, Tensor], np.ndarray], picture, box, warp
) -> np.ndarray:
    """Locate the points of one RGB picture (h, w, 3)."""
    reinit, regression, mean = weights
    bgr = picture[:, :, ::-1].copy()
    x1, y1, x2, y2 = box
    corners = np.array([[x1, y1], [x1, y2], [x2, y1]], np.float32)
    to_crop = cv2.getAffineTransform(corners, np.array([[0, 0], [0, 127], [127, 0]], np.float32))

    def tensor(view: np.ndarray) -> Tensor:
        return torch.from_numpy((view / 255 - 0.5) / 0.5).permute(2, 0, 1)[None].float()

    theta = localise(reinit, tensor(warp(bgr, to_crop, 128))).reshape(2, 3).double().numpy().copy()
    theta[:, 2] *= 128
    square = (
        np.diag([2.0, 2.0, 1.0]) @ np.vstack([theta, [0, 0, 1]]) @ np.vstack([to_crop, [0, 0, 1]])
    )
    out = regress(regression, tensor(warp(bgr, square[:2], 256)))[0].double().numpy()
    points = (out * 0.5 + mean).reshape(-1, 2) * 256
    return (np.linalg.inv(square) @ np.c_[points, np.ones(len(points))].T)[:2].T


# --- counts ---------------------------------------------------------------------------------------


def test_counts_of_the_release():
    assert count_module(release.ReleaseReinit(), (1, 3, 128, 128)).params == 44_909
    assert count_module(release.ReleaseBackbone(68), (1, 3, 256, 256)).params == 478_090
    assert count_module(release.ReleaseBackbone(98), (1, 3, 256, 256)).params == 493_510


# --- made weights ---------------------------------------------------------------------------------


def made_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], np.ndarray]:
    """Write files as the authors publish them.

    `state_dict` of keys with `module.`, a flat mean face.
    """
    torch.manual_seed(0)
    nets = release.ReleaseReinit(), release.ReleaseBackbone(98)
    nets[0].fc_loc[-1].weight.data.normal_(0, 0.02)
    nets[0].fc_loc[-1].bias.data.copy_(torch.tensor([0.9, 0.05, 0.03, -0.06, 1.05, -0.02]))
    for layer in nets[1].modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    nets[1].pts_net[-1].weight.data.mul_(5)
    seen = np.stack([picture(seed, 256, 256) for seed in range(8)])
    with torch.no_grad():  # statistics of noise in one pass, so that what is seen moves the points
        nets[1].train()(torch.from_numpy(seen).permute(0, 3, 1, 2) / 127.5 - 1)
    mean = np.random.default_rng(0).uniform(0.1, 0.9, 196)
    for name, net in zip(("reinit", "regress"), nets, strict=True):
        state = OrderedDict((f"module.{key}", value) for key, value in net.state_dict().items())
        torch.save({"epoch": 3, "state_dict": state}, folder / f"98_points_global_{name}.pth.tar")
    np.save(folder / "mean_98_face.npy", mean)
    return nets[0].state_dict(), nets[1].state_dict(), mean


def picture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def adopted(out: Path, weights: Path) -> object:
    params = method_card.merge_params(CARD, "release", "quick")
    job = Job(
        "landmarks", LAYOUTS["wflw98"], None, (), None, out, 0, "cpu", "quick", params, weights
    )  # type: ignore[arg-type]
    assert MODULE.train(job) == "weights"
    return MODULE.predictor(out, "cpu")


@torch.inference_mode()
def test_a_second_implementation_puts_every_point_in_the_same_place(tmp_path):
    """Box, corners, channel order, composed map, sampling from the picture, mean face.

    One slip is pixels wide.

    The boxes are not square, and the last one reaches beyond the picture, where all is black.
    """
    (tmp_path / "weights").mkdir()
    weights = made_weights(tmp_path / "weights")
    predict = adopted(tmp_path, tmp_path / "weights")
    boxes = [[31.0, 20.0, 131.0, 155.0], [60.5, 40.25, 140.0, 121.5], [-20.0, 90.0, 90.0, 230.0]]
    pictures = [picture(seed, 184, 200) for seed in range(3)]
    samples = [
        Sample(str(k), np.array(box), lambda k=k: pictures[k]) for k, box in enumerate(boxes)
    ]
    found = predict(samples)
    assert found.shape == (3, 98, 2)
    for row in range(3):
        expected = second(weights, pictures[row], boxes[row], through_opencv)
        assert np.abs(found[row] - expected).max() < 0.01  # px
        reversed_channels = second(weights, pictures[row][:, :, ::-1], boxes[row], through_opencv)
        assert np.abs(found[row] - reversed_channels).max() > 0.5  # the test sees a slip


def test_files_of_another_network_are_named(tmp_path):
    made_weights(tmp_path)
    (tmp_path / "mean_98_face.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match=r"mean_98_face.npy: is no .npy array"):
        release.ReleasedDetector(98).load_published(tmp_path)
    np.save(tmp_path / "mean_98_face.npy", np.zeros(2 * 68))
    with pytest.raises(DataError, match=r"mean_98_face.npy: \(136,\) is no mean face of 98 points"):
        release.ReleasedDetector(98).load_published(tmp_path)
    made_weights(tmp_path)
    torch.save({"module.x": torch.zeros(1)}, tmp_path / "98_points_global_reinit.pth.tar")
    with pytest.raises(
        DataError, match=r"98_points_global_reinit.pth.tar: weights of another network"
    ):
        release.ReleasedDetector(98).load_published(tmp_path)
    with pytest.raises(DataError, match=r"68_points_global_reinit.pth.tar: no such weights file"):
        release.ReleasedDetector(68).load_published(tmp_path)


# --- published weights ----------------------------------------------------------------------------


def published(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], np.ndarray]:
    states = []
    for name in ("reinit", "regress"):
        found = torch.load(
            folder / f"98_points_global_{name}.pth.tar", map_location="cpu", weights_only=True
        )
        states.append(
            {key.removeprefix("module."): value for key, value in found["state_dict"].items()}
        )
    return states[0], states[1], np.load(folder / "mean_98_face.npy", allow_pickle=False)


@pytest.mark.data
@torch.inference_mode()
def test_the_published_weights_answer_as_the_published_code_does(data_root, tmp_path):
    folder = data_root / "glsr-release"
    if not folder.is_dir():
        pytest.skip("the release is not under the data root")
    index = glsr_release.index(data_root)
    made = split.split_index(protocols.load_protocol("glsr-release"), index)
    found = adopted(tmp_path, folder)(made.test)
    weights = published(folder)
    for row in range(5):
        expected = second(weights, index.read(row), index.boxes["rct"][row], through_opencv)
        assert np.abs(found[row] - expected).max() < 0.01, index.ids[row]  # px
        # OpenCV rounds positions to 1/32 px and views to bytes; without that the points stay where
        # they are.
        assert (
            np.abs(
                found[row] - second(weights, index.read(row), index.boxes["rct"][row], exactly)
            ).max()
            < 0.15
        )


@pytest.mark.data
def test_the_release_is_a_row_of_published_weights_near_its_printed_error(data_root, tmp_path):
    """Printed for the 2,500 test faces: 5.35 %. Five faces can only say that nothing is broken."""
    if not (data_root / "glsr-release").is_dir():
        pytest.skip("the release is not under the data root")
    request = run_plan.RunRequest(
        "glsr", "glsr-release", "release", data=data_root, results=tmp_path, device="cpu"
    )
    outcome = execute.run_method(request)
    assert outcome.run.record.kind == "weights"
    assert outcome.scored.scores.groups["test"]["nme_inter_ocular"].value == pytest.approx(
        5.18, abs=0.02
    )
    with pytest.raises(ProtocolError, match="has nothing to train on"):
        execute.run_method(
            run_plan.RunRequest(
                "glsr", "glsr-release", "b1", data=data_root, results=tmp_path, device="cpu"
            )
        )
