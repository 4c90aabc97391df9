"""The rasteriser against a brute-force twin: every pixel, every triangle, the nearest wins."""

import numpy as np
import pytest

from benchbox.face_renderer.image.raster import rasterise_grid


def brute(points, depth, size):
    """Return the grid position (column, row) per pixel, NaN where no triangle is seen."""
    rows, columns = depth.shape
    at = np.arange(rows * columns).reshape(rows, columns)
    flat, z = points.reshape(-1, 2), depth.ravel()
    nearest, seen = np.full((size, size), np.inf), np.full((size, size, 2), np.nan)
    place = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    for r in range(rows - 1):
        for c in range(columns - 1):
            a, b, e, d = at[r, c], at[r, c + 1], at[r + 1, c], at[r + 1, c + 1]
            for tri in ((a, b, e), (d, e, b)):
                matrix = np.vstack([flat[list(tri)].T, np.ones(3)])
                if np.linalg.det(matrix) <= 0:
                    continue
                for y in range(size):
                    for x in range(size):
                        w = np.linalg.solve(matrix, [x, y, 1.0])
                        # The painter's order is that of whole triangles, by the sum of their
                        # corners' depths.
                        if w.min() >= 0 and z[list(tri)].sum() < nearest[y, x]:
                            nearest[y, x], seen[y, x] = z[list(tri)].sum(), w @ place[list(tri)]
    return seen.reshape(-1, 2)


def test_shows_what_a_brute_force_depth_buffer_shows():
    rng = np.random.default_rng(3)
    v, u = np.meshgrid(np.arange(5), np.arange(6), indexing="ij")
    points = np.stack([u * 4.3 + 1.2, v * 4.7 + 0.6], axis=-1) + rng.normal(0, 0.8, (5, 6, 2))
    depth = rng.uniform(90, 110, (5, 6))
    expected = brute(points, depth, 24)
    found = rasterise_grid(points, depth, 24)
    shown = np.full((24 * 24, 2), np.nan)
    shown[found.pixels] = np.stack([found.column, found.row], axis=-1)
    inside = np.isfinite(expected[:, 0])
    # A slack of a thousandth of a triangle against cracks may add a border pixel, never lose one.
    assert np.isfinite(shown[inside]).all()
    assert (np.isfinite(shown[:, 0]) & ~inside).sum() <= 2
    assert inside.sum() > 300
    np.testing.assert_allclose(shown[inside], expected[inside], atol=1e-3)


def test_the_nearer_sheet_hides_the_farther_one_wherever_they_overlap():
    """Guards the painter's order.

    One grid folded over itself, near half last in memory or first.
    """
    for near_first in (True, False):
        x = (
            np.array([2.0, 20.0, 20.0, 2.0])[:, None]
            if near_first
            else np.array([2.0, 20.0, 20.0, 2.0])[::-1][:, None]
        )
        points = np.stack(
            [np.tile([2.0, 20.0], (4, 1)), np.array([2, 20, 20.0, 2.0])[:, None] * np.ones((4, 2))],
            -1,
        )
        depth = np.array([[10.0] * 2, [10.0] * 2, [50.0] * 2, [50.0] * 2])
        if not near_first:
            depth = depth[::-1].copy()
        found = rasterise_grid(points, depth, 24, facing=0)
        assert found.read(depth).max() == pytest.approx(10.0)
        assert len(x) == 4


def test_the_side_that_faces_away_is_only_seen_on_request():
    v, u = np.meshgrid(np.arange(3.0), np.arange(3.0), indexing="ij")
    points, depth = np.stack([u * 5 + 1, v * 5 + 1], -1), np.full((3, 3), 9.0)
    assert len(rasterise_grid(points, depth, 16).pixels) == 11 * 11
    assert len(rasterise_grid(points, depth, 16, facing=-1).pixels) == 0
    mirrored = points[:, ::-1].copy()
    assert len(rasterise_grid(mirrored, depth, 16).pixels) == 0
    assert len(rasterise_grid(mirrored, depth, 16, facing=-1).pixels) == 11 * 11


def test_a_grid_outside_the_picture_shows_nothing():
    v, u = np.meshgrid(np.arange(3.0), np.arange(3.0), indexing="ij")
    for shift in (-100.0, 100.0):
        found = rasterise_grid(np.stack([u * 5 + shift, v * 5], -1), np.full((3, 3), 9.0), 16)
        assert len(found.pixels) == 0
        assert len(found.read(np.zeros((3, 3)))) == 0


def test_places_are_the_grid_coordinates_of_the_pixel():
    v, u = np.meshgrid(np.arange(4.0), np.arange(5.0), indexing="ij")
    found = rasterise_grid(np.stack([u * 4, v * 3], -1), np.full((4, 5), 9.0), 16)
    y, x = np.divmod(found.pixels, 16)
    np.testing.assert_allclose(found.column, x / 4, atol=1e-5)
    np.testing.assert_allclose(found.row, y / 3, atol=1e-5)
