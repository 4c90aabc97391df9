"""From a scene to its picture."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchbox.face_renderer.head.appearance import Look
from benchbox.face_renderer.head.deformation import Shape, deform_points, eyeball_centres
from benchbox.face_renderer.head.landmarks import eye_spans, mouth_span
from benchbox.face_renderer.head.model import eye_corner_body, head_mesh
from benchbox.face_renderer.head.surface import neutral_surface
from benchbox.face_renderer.image.point_grid import (
    SurfaceGrid,
    camera_directions,
    dot_products,
    halfway_vectors,
    place_grid,
    sky_openness,
    unit_vectors,
)
from benchbox.face_renderer.image.raster import Fragments
from benchbox.face_renderer.scenes.scene import Scene, random_stream

from . import light
from .camera import Camera, place_points, rotation_matrix
from .head import appearance, ears, eyes, hair, skin
from .image import backdrop, lens, occluders
from .light import Light

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats


@dataclass(frozen=True, eq=False)
class Picture:
    """What comes out of the camera."""

    pixels: Bytes  # (size, size, 3) RGB
    visible: Bools  # (68 + M,) landmarks, then further points, that nothing hides


def render_picture(scene: Scene) -> Picture:
    """Photograph a scene."""
    person = _cached_appearance(scene) if scene.settled else _make_appearance(scene)
    look = person.look
    rng, conditions, side = scene.look_rng(), scene.conditions, scene.canvas
    lighting = _scene_light(scene, rng)
    camera = scene.camera.resized(side / scene.size)
    canvas = backdrop.draw_backdrop(
        rng, side, hard=conditions.light, plain=scene.room is not None
    ).reshape(-1, 3)
    depth_buffer = np.full(side * side, 1e6, np.float32)
    eyeballs = eyeball_centres(eye_corner_body(), scene.shape)
    face = _draw_person(canvas, depth_buffer, scene, person, lighting, eyeballs, camera, rng)
    # metered on the face, not on what is held before it
    exposure = lens.exposure_factor(rng, canvas[face], hard=conditions.light)
    canvas = canvas.reshape(side, side, 3)
    hidden = _draw_occluders(
        canvas, depth_buffer.reshape(side, side), scene, look, lighting, eyeballs, camera, rng
    )
    small = cv2.resize(canvas, (scene.size, scene.size), interpolation=cv2.INTER_AREA)
    pixels = lens.develop_picture(
        rng,
        small * exposure,
        hard=conditions.lens,
        sharp=conditions.sharp,
        blur_px=conditions.blur_px,
        grain=scene.grain_rng(),
    )
    return Picture(pixels, _visible_points(scene, camera, depth_buffer.reshape(side, side), hidden))


def _scene_light(scene: Scene, rng: np.random.Generator) -> Light:
    """Return the light in the camera's axes: the picture's own, or that of the room."""
    conditions, room = scene.conditions, scene.room
    if room is None:
        return light.draw_light(rng, hard=conditions.light, harsh=conditions.harsh)
    rng = random_stream(*room.light_key)
    lighting = light.draw_light(rng, hard=conditions.light, harsh=conditions.harsh)
    return lighting.rotated(room.turn)


@dataclass(frozen=True, eq=False)
class _Appearance:
    """A person's look, hair, and skin where it is not painted anew for every picture."""

    look: Look
    cover: hair.HairCover | None
    skin: Any = None


def _make_appearance(scene: Scene) -> _Appearance:
    person = scene.person_rng()
    look = replace(
        appearance.draw_look(person, child=scene.shape.identity["length"] < -1.5), **scene.changes
    )
    return _Appearance(look, hair.grow_hair(look, scene.shape, person))


_APPEARANCES: OrderedDict[tuple[int, ...], _Appearance] = OrderedDict()
_MAX_APPEARANCES = 24  # persons, 2 MB each


def _cached_appearance(scene: Scene) -> _Appearance:
    """Return what was made of a person before, or make it with a face at rest.

    A function of the person alone.
    """
    if scene.person_key not in _APPEARANCES:
        rest = replace(scene, shape=Shape(scene.shape.identity))
        person = _make_appearance(rest)
        _APPEARANCES[scene.person_key] = replace(
            person,
            skin=skin.paint_skin(person.look, rest.shape, random_stream(*scene.person_key, 1)),
        )
        if len(_APPEARANCES) > _MAX_APPEARANCES:
            _APPEARANCES.popitem(last=False)
    return _APPEARANCES[scene.person_key]


def _draw_person(
    canvas: Any,
    depth_buffer: Any,
    scene: Scene,
    person: _Appearance,
    lighting: Light,
    eyeballs: Floats,
    camera: Camera,
    rng: np.random.Generator,
) -> Any:
    """Draw head, ears, hair and shoulders; return the pixels of the head."""
    body, look, cover = head_mesh(), person.look, person.cover
    head = place_grid(
        place_points(deform_points(body, scene.shape, eyeballs), body.body, scene.pose),
        neutral_surface().shape,
        camera,
    )
    hair_grid = None
    casters = head.points[:, ::2, ::2].reshape(3, -1)
    if cover is not None:
        share = hair.neutral_shell().body.body
        hair_grid = place_grid(
            place_points(cover.points.reshape(-1, 3), share, scene.pose),
            hair.neutral_shell().shape,
            camera,
        )
        if cover.hangs:
            lining = hair_grid.rasterise(scene.canvas, facing=-1)
            inside = lining.read(cover.texture, hair.TEXTURE_SCALE)
            lining.put(
                canvas, inside[:, :3] * (0.25 * lighting.ambient).astype(np.float32), inside[:, 3]
            )
        opaque = cover.texture[:: hair.TEXTURE_SCALE, :: 2 * hair.TEXTURE_SCALE, 3] > 0.5
        casters = np.concatenate([casters, hair_grid.points[:, :, ::2][:, opaque]], axis=1)
    fragments = _draw_head(
        canvas, depth_buffer, scene, head, casters, person, lighting, eyeballs, rng, camera
    )
    for side in (-1, 1):
        if scene.pose.yaw * side > 0.4 or (cover is not None and cover.ears):
            continue
        _draw_ear(canvas, depth_buffer, scene, side, look, lighting, camera)
    if hair_grid is not None and cover is not None:
        _draw_cover(canvas, depth_buffer, scene, hair_grid, cover, casters, lighting)
    return fragments.pixels[fragments.row < neutral_surface().mouth_rows[1] + 14]


def _draw_occluders(
    canvas: Any,
    depth_buffer: Any,
    scene: Scene,
    look: Look,
    lighting: Light,
    eyeballs: Floats,
    camera: Camera,
    rng: np.random.Generator,
) -> Any:
    """Put things before the face; return the mask (canvas, canvas) of what they hide."""
    mm = camera.scale / camera.distance_mm
    hidden = np.zeros((scene.canvas, scene.canvas), np.float32)
    if look.glasses:
        curves = {
            name: [camera.project(place_points(c, np.zeros(len(c)), scene.pose)) for c in lines]
            for name, lines in occluders.glasses_curves(look, eyeballs).items()
        }
        hidden = occluders.draw_glasses(
            canvas, depth_buffer, curves, mm, look, lighting, rng.uniform(0.0, 0.06, 3)
        )
    flat = (scene.landmarks + 0.5) * (scene.canvas / scene.size) - 0.5
    target = flat[rng.integers(len(flat))]
    draw = rng.random(4)
    cover = scene.conditions.cover or _draw_cover_kind(draw, scene.conditions.cover_rate)
    if cover == "hand":
        hidden = np.maximum(hidden, occluders.draw_hand(canvas, rng, target, mm, look, lighting))
    elif cover == "thing":
        hidden = np.maximum(hidden, occluders.draw_object(canvas, rng, target, mm, lighting))
    elif cover == "foreground":
        hidden = np.maximum(hidden, occluders.draw_foreground(canvas, rng, target, flat.mean(0)))
    if draw[3] < 0.12 and look.style in ("long", "medium", "fringe"):
        occluders.draw_strands(canvas, rng, target, mm, look, lighting)
    return hidden


def _draw_cover_kind(draw: Floats, cover_rate: float) -> str:
    """Return what comes before a face, given even draws: most often nothing."""
    kinds = (("hand", 0.20), ("thing", 0.16), ("foreground", 0.08))
    for value, (kind, share) in zip(draw, kinds, strict=False):
        if value < share * cover_rate:
            return kind
    return "nothing"


def _visible_points(scene: Scene, camera: Camera, depth_buffer: Any, hidden: Any) -> Bools:
    """Say which landmarks the picture shows: on the near side and behind nothing."""
    flat, depth = camera.project(np.concatenate([scene.points, scene.further]))
    at = np.clip(np.round(flat), 0, scene.canvas - 1).astype(int)
    # The nearest depth around the point, so that a landmark on the silhouette does not fall off its
    # edge.
    around = cv2.dilate(
        np.where(depth_buffer < 1e5, depth_buffer, 0).astype(np.float32), np.ones((5, 5), np.uint8)
    )
    shown: Bools = (depth < around[at[:, 1], at[:, 0]] + 4.0) & (hidden[at[:, 1], at[:, 0]] < 0.5)
    return shown


def _draw_head(
    canvas: Any,
    depth_buffer: Any,
    scene: Scene,
    head: SurfaceGrid,
    casters: Any,
    person: _Appearance,
    lighting: Light,
    eyeballs: Floats,
    rng: np.random.Generator,
    camera: Camera,
) -> Fragments:
    shape, look = head.depth.shape, person.look
    key_share = cv2.blur(light.cast_shadows(head.points, casters, lighting), (3, 3))
    sky_share = sky_openness(head)
    diffuse = light.diffuse_light(
        head.normal, sky_share, key_share * np.minimum(sky_share, 1), lighting
    )
    diffuse *= skin.skin_blotches(shape, rng)
    facing = dot_products(head.normal, halfway_vectors(head, camera, lighting))
    specular = 0.055 * light.specular_light(facing, key_share, 9) + 0.085 * light.specular_light(
        facing, key_share, 38
    )
    fragments = head.rasterise(scene.canvas)
    read = fragments.read(cv2.merge([*cv2.split(diffuse), head.depth]))
    painted = skin.paint_skin(look, scene.shape, rng) if person.skin is None else person.skin
    colour = fragments.read(painted, skin.TEXTURE_SCALE)
    colour *= read[:, :3]
    colour += fragments.read(specular)[:, None] * (look.shine * lighting.colour).astype(np.float32)
    canvas[fragments.pixels] = colour
    depth_buffer[fragments.pixels] = read[:, 3]
    _draw_eyes(canvas, scene, fragments, look, lighting, eyeballs, camera)
    _draw_mouth(canvas, scene, fragments, lighting, camera)
    return fragments


def _pixel_rays(scene: Scene, camera: Camera, pixels: Any) -> tuple[Any, Any]:
    """Return the camera's place and rays (P, 3) through pixels, in the head's frame."""
    y, x = np.divmod(pixels, scene.canvas)
    rays = np.stack(
        [
            (x - camera.shift[0]) / camera.scale,
            (y - camera.shift[1]) / camera.scale,
            -np.ones(len(x)),
        ],
        -1,
    )
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    turn = rotation_matrix(scene.pose)
    # The head's frame is moved by `place`; its origin is found by placing it.
    zero = place_points(np.zeros((1, 3)), np.zeros(1), scene.pose)[0]
    return turn.T @ (camera.position - zero), rays @ turn


def _slit_fragments(
    fragments: Fragments, rows: tuple[int, int], *spans: tuple[float, float]
) -> list[Fragments]:
    """Return the pixels between two rows of the grid, one part per span of columns."""
    within = fragments.where(np.flatnonzero((fragments.row > rows[0]) & (fragments.row < rows[1])))
    return [
        within.where(np.flatnonzero((within.column > low) & (within.column < high)))
        for low, high in spans
    ]


def _draw_eyes(
    canvas: Any,
    scene: Scene,
    fragments: Fragments,
    look: Look,
    lighting: Light,
    eyeballs: Floats,
    camera: Camera,
) -> None:
    key = rotation_matrix(scene.pose).T @ lighting.key
    rows = neutral_surface().eye_rows
    for side, (centre, part) in enumerate(
        zip(eyeballs, _slit_fragments(fragments, rows, *eye_spans()), strict=True)
    ):
        if len(part.pixels):
            origin, rays = _pixel_rays(scene, camera, part.pixels)
            gaze = scene.axes[side]
            canvas[part.pixels] = eyes.shade_eyeball(
                origin, rays, centre, gaze, key, part.row - rows[0], look, lighting
            )


def _draw_mouth(
    canvas: Any, scene: Scene, fragments: Fragments, lighting: Light, camera: Camera
) -> None:
    rows = neutral_surface().mouth_rows
    (part,) = _slit_fragments(fragments, rows, mouth_span())
    if len(part.pixels):
        origin, rays = _pixel_rays(scene, camera, part.pixels)
        drop = 95 * np.sin(scene.shape.jaw)
        lip_z = 103 + 2.2 * scene.shape.identity.get("mouth_forward", 0.0)
        colour = eyes.shade_mouth(origin, rays, lip_z, drop, part.row - rows[0], lighting, 1.0)
        canvas[part.pixels] = colour


def _draw_ear(
    canvas: Any,
    depth_buffer: Any,
    scene: Scene,
    side: int,
    look: Look,
    lighting: Light,
    camera: Camera,
) -> None:
    part = ears.make_ear(side)
    points = deform_points(part.body, scene.shape, np.zeros((2, 3)) + 1e4)
    sheet = place_grid(place_points(points, part.body.body, scene.pose), part.shape, camera)
    fragments = sheet.rasterise(scene.canvas, facing=0)
    # both sides are seen
    normal = sheet.normal * np.sign(dot_products(sheet.normal, camera_directions(sheet, camera)))
    key_share = np.full(part.shape, 0.85, np.float32)  # small and at the side: shadows barely tell
    diffuse = light.diffuse_light(normal, part.shade.astype(np.float32), key_share, lighting)
    colour = diffuse * (look.skin * np.array([1.0, 0.82, 0.8])).astype(np.float32)
    depth = fragments.read(sheet.depth)
    front = np.flatnonzero(depth < depth_buffer[fragments.pixels])
    part_seen = fragments.where(front)
    canvas[part_seen.pixels] = part_seen.read(colour)
    depth_buffer[part_seen.pixels] = depth[front]


def _draw_cover(
    canvas: Any,
    depth_buffer: Any,
    scene: Scene,
    hair_grid: SurfaceGrid,
    cover: hair.HairCover,
    casters: Any,
    lighting: Light,
) -> None:
    shape = hair_grid.depth.shape
    fragments = hair_grid.rasterise(scene.canvas)
    key_share = light.cast_shadows(hair_grid.points, casters, lighting)
    diffuse = light.diffuse_light(hair_grid.normal, np.ones(shape, np.float32), key_share, lighting)
    specular = np.zeros(shape, np.float32)
    if cover.combed:
        tangent = unit_vectors(np.gradient(hair_grid.points, axis=1))
        half = lighting.key.astype(np.float32) + np.array([0, 0, 1], np.float32)
        along = dot_products(tangent, half / np.linalg.norm(half))
        specular = np.maximum(1 - along**2, 0) ** np.float32(22) * key_share
    depth, clear = (
        fragments.read(hair_grid.depth),
        fragments.read(cover.texture[..., 3], hair.TEXTURE_SCALE),
    )
    shown = np.flatnonzero((depth < depth_buffer[fragments.pixels] + 2.0) & (clear > 0.01))
    fragments, depth, clear = fragments.where(shown), depth[shown], clear[shown]
    read = fragments.read(cv2.merge([*cv2.split(diffuse), specular]))
    colour = fragments.read(cover.texture, hair.TEXTURE_SCALE)[:, :3]
    sheen = np.sqrt(colour)
    sheen *= np.float32(0.05)
    sheen += colour * (np.float32(1.3) * lighting.colour.astype(np.float32))
    sheen *= read[:, 3:]
    fragments.put(canvas, colour * read[:, :3] + sheen, clear)
    solid = clear > 0.5
    depth_buffer[fragments.pixels[solid]] = depth[solid]
