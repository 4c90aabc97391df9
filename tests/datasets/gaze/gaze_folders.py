"""Small copies of the gaze datasets in their true formats, for tests of readers and runs."""

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.io

from benchbox.datasets.gaze import apple_devices

FRAME = (480, 640)  # (h, w) of a landscape frame of the phones


def write_json(path: Path, content) -> None:
    path.write_text(json.dumps(content))


def recording(
    root: Path,
    name="00002",
    *,
    split="train",
    device="iPhone 6",
    orientation=(1,) * 6,
    invalid=(),
    seed=0,
    change=None,
):
    """Write one recording of GazeCapture's shape: two frames a dot.

    Returns the true cm (n, 2) of all frames.
    """
    folder = root / name
    (folder / "frames").mkdir(parents=True)
    n, rng = len(orientation), np.random.default_rng(seed)
    orientation = np.array(orientation)
    size = np.where((orientation <= 2)[:, None], [320.0, 568.0], [568.0, 320.0])
    dots = np.repeat(np.arange((n + 1) // 2), 2)[:n]
    points = (rng.uniform(0.1, 0.9, (dots.max() + 1, 2)))[dots] * size
    known = apple_devices.DEVICES.get(device, apple_devices.DEVICES["iPhone 6"])
    cm = apple_devices.screen_to_camera_cm(known, points, size, orientation)
    valid = [int(k not in invalid) for k in range(n)]

    def box(x, y, w, h):
        return {"X": [x] * n, "Y": [y] * n, "W": [w] * n, "H": [h] * n, "IsValid": [1] * n}

    files = {
        "frames": [f"{k:05d}.jpg" for k in range(n)],
        "info": {"TotalFrames": n, "NumFaceDetections": n, "NumEyeDetections": sum(valid),
                 "Dataset": split, "DeviceName": device},
        "appleFace": box(40.5, 100.25, 300.0, 300.0),
        "appleLeftEye": box(170.0, 80.0, 90.0, 90.0) | {"IsValid": valid},
        "appleRightEye": box(40.7, 85.2, 90.0, 90.0),
        "faceGrid": box(6, 10, 13, 13),
        "dotInfo": {"DotNum": dots.tolist(),
                    "XPts": points[:, 0].tolist(), "YPts": points[:, 1].tolist(),
                    "XCam": cm[:, 0].tolist(), "YCam": cm[:, 1].tolist(), "Time": [0.1] * n},
        "screen": {"W": size[:, 0].tolist(), "H": size[:, 1].tolist(),
                   "Orientation": orientation.tolist()},
    }  # fmt: skip
    if change:
        change(files)
    for stem, content in files.items():
        write_json(folder / f"{stem}.json", content)
    for k in range(n):
        picture = np.full((*FRAME, 3), (10, 20 + k, 200), np.uint8)  # BGR
        (folder / "frames" / f"{k:05d}.jpg").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return cm


def gaze(rng, n, *, mean=(-0.15, 0.0)):
    """Draw (pitch, yaw) of people who look at a screen below its camera; the mean is exact."""
    drawn = rng.uniform(-0.1, 0.1, (n, 2))
    return drawn - drawn.mean(axis=0) + np.array(mean)


def small_person(folder: Path, person: int, n=6, *, columns=None):
    """Write one file of mpiigaze-small; returns its (pitch, yaw).

    `columns` turns them into what the file holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(person)
    angles = gaze(rng, n)
    head = np.tile([0.1 + person / 100, -0.2], (n, 1))  # pitch, yaw
    with h5py.File(folder / f"small_test_dataset_loocv{person}.h5", "w") as file:
        data = np.zeros((n, 1, 9, 15), np.uint8)
        data[:, 0, 0, :] = person
        data[:, 0, 1, 0] = np.arange(n)
        file["data"] = data
        file["gaze"] = columns(angles) if columns else angles[:, ::-1]
        file["headpose"] = head[:, ::-1]
        file["nearestIDs"] = np.zeros((n, 61), np.uint32)
    return angles


def face_person(folder: Path, person: int, n=4, side=8, *, columns=None, dtype=np.uint8):
    """Write one v7.3 .mat of normalised MPIIFaceGaze; returns its (pitch, yaw)."""
    folder.mkdir(parents=True, exist_ok=True)
    angles = gaze(np.random.default_rng(person), n)
    path = folder / f"p{person:02d}.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        planes = np.zeros((n, 3, side, side), dtype)
        planes[:, 0], planes[:, 1], planes[:, 2] = 1, 2, 3  # blue, green, red
        planes[:, 2, 0, 1] = 9  # row 0, column 1, red
        file["Data/data"] = planes
        label = np.zeros((n, 16))
        label[:, :2] = columns(angles) if columns else angles
        label[:, 2:4] = (0.25, -0.5)
        file["Data/label"] = label
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return angles


def xgaze_person(folder: Path, name: str, n=4, side=8, *, labels=None):
    """Write one file of ETH-XGaze; `labels` (n, 2) pitch, yaw or None for a withheld one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.h5").unlink(missing_ok=True)  # a reader may hold the old one open
    with h5py.File(folder / f"{name}.h5", "w") as file:
        patch = np.zeros((n, side, side, 3), np.uint8)
        # blue, green, red
        patch[..., 0], patch[..., 1], patch[..., 2] = 1, 2, np.arange(n)[:, None, None] + 3
        file.create_dataset("face_patch", data=patch, chunks=(1, side, side, 3), compression="lzf")
        if labels is not None:
            file["face_gaze"] = np.asarray(labels, np.float32)
        file["face_head_pose"] = np.tile(np.float32([0.5, -0.25]), (n, 1))
        file["face_mat_norm"] = np.tile(np.eye(3), (n, 1, 1))
        file["frame_index"] = np.arange(n)[:, None]
        file["cam_index"] = (np.arange(n) % 18)[:, None]


def xgaze(
    root: Path, train=("subject0000", "subject0003"), test=("subject0020", "subject0001"), n=4
):
    """Write a small ETH-XGaze.

    Two labelled people, the second of them customarily held out, and two withheld.
    """
    folder = root / "eth-xgaze" / "xgaze_224"
    labels = {}
    for k, name in enumerate(train):
        labels[name] = np.stack(
            [np.linspace(-1.2, 1.2, n), np.linspace(-2, 2, n) + 0.1 * k], axis=1
        )
        xgaze_person(folder / "train", name, n, labels=labels[name])
    for name in test:
        xgaze_person(folder / "test", name, n)
    names = {"train": train, "test": test, "test_person_specific": ()}
    write_json(
        folder / "train_test_split.json",
        {k: [f"{name}.h5" for name in v] for k, v in names.items()},
    )
    return labels


def mpiigaze_day(folder: Path, person: str, day: str, pictures, gaze_vectors, image):
    """Write one day's v5 .mat: `gaze_vectors` and `image` per side.

    Rotation vectors turn heads about y.
    """
    place = folder / "Data" / "Normalized" / person
    place.mkdir(parents=True, exist_ok=True)
    pose = np.tile([0.0, 0.3, 0.0], (len(pictures), 1))
    data = {
        side: {"gaze": np.array(gaze_vectors[side]), "image": np.array(image[side]), "pose": pose}
        for side in ("left", "right")
    }
    names = np.array([[name] for name in pictures], dtype=object)
    scipy.io.savemat(place / f"{day}.mat", {"data": data, "filenames": names})


def mpiigaze_list(folder: Path, person: str, lines):
    place = folder / "Evaluation Subset" / "sample list for eye image"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{person}.txt").write_text("\n".join(lines) + "\n")
