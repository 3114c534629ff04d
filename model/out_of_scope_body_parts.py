"""Drawn body parts that are no brain: what a careless gate would take for a head.

They are shaped like slices (a rounded body on black, bright fat, dark air, bones) and drawn anew
for every seed. They stand for no patient and for no exact anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from model.images import GrayPixels

Random = np.random.Generator
Plane = npt.NDArray[np.float32]

BLUR: Final = 0.8
"""Pixels: scanners have no hard edges."""


@dataclass(frozen=True)
class Sketch:
    """A picture being drawn: levels 0..1 on warped coordinates, so that no two shapes are alike.

    Attributes:
        x: (n, n), about -1 at the left to 1 at the right.
        y: (n, n), about -1 at the top to 1 at the bottom.
        levels: (n, n).
    """

    x: Plane
    y: Plane
    levels: Plane

    def oval(self, centre: tuple[float, float], radii: tuple[float, float], level: float) -> Sketch:
        """Return the sketch with a filled oval; centre and radii as (x, y)."""
        across = (self.x - centre[0]) / radii[0]
        down = (self.y - centre[1]) / radii[1]
        return self.fill(across**2 + down**2 <= 1.0, level)

    def bar(self, centre: tuple[float, float], half: tuple[float, float], level: float) -> Sketch:
        """Return the sketch with a rounded bar; half width and half height."""
        across = np.abs((self.x - centre[0]) / half[0])
        down = np.abs((self.y - centre[1]) / half[1])
        return self.fill(across**4 + down**4 <= 1.0, level)

    def fill(self, inside: npt.NDArray[np.bool_], level: float) -> Sketch:
        """Return the sketch with one level inside a mask, (n, n)."""
        return Sketch(self.x, self.y, np.where(inside, np.float32(level), self.levels))


def draw_thorax(random: Random) -> GrayPixels:
    """Draw a cross-section of the chest: fat, ribs, two dark lungs, heart, vertebra."""
    bone, lung = random.uniform(0.7, 1.0), random.uniform(0.02, 0.12)
    sketch = _start(random).oval((0, 0), (0.92, 0.66), random.uniform(0.45, 0.8))
    sketch = sketch.oval((0, 0.02), (0.82, 0.56), random.uniform(0.3, 0.5))
    for turn in np.linspace(0.2, 2 * np.pi - 0.2, 14):
        rib = (0.74 * np.cos(turn), 0.02 + 0.48 * np.sin(turn))
        sketch = sketch.oval(rib, (0.07, 0.035), bone)
    for side in (-1, 1):
        sketch = sketch.oval((0.38 * side, 0.0), (0.29, 0.4), lung)
        for _ in range(12):
            vessel = (0.38 * side + random.normal(0, 0.12), random.normal(0, 0.15))
            sketch = sketch.oval(vessel, (0.012, 0.02), 0.5)
    sketch = sketch.oval((0.1, -0.12), (0.26, 0.24), random.uniform(0.5, 0.75))
    sketch = _vertebra(sketch, (0.0, 0.36), 0.12, bone)
    return _finish(sketch, random)


def draw_abdomen(random: Random) -> GrayPixels:
    """Draw a cross-section of the belly: fat, liver, spleen, kidneys, bowel, vertebra."""
    organ, bone = random.uniform(0.4, 0.65), random.uniform(0.5, 1.0)
    sketch = _start(random).oval((0, 0), (0.95, 0.7), random.uniform(0.6, 0.95))
    sketch = sketch.oval((0, 0.0), (0.83, 0.58), random.uniform(0.15, 0.35))
    sketch = sketch.oval((-0.42, -0.08), (0.36, 0.38), organ)
    sketch = sketch.oval((0.6, 0.05), (0.16, 0.26), organ * random.uniform(0.8, 1.2))
    for side in (-1, 1):
        sketch = sketch.oval((0.36 * side, 0.26), (0.13, 0.16), organ * 1.3)
        sketch = sketch.oval((0.34 * side, 0.26), (0.05, 0.07), 0.9)
    for _ in range(int(random.integers(8, 16))):
        loop = (random.uniform(-0.2, 0.5), random.uniform(-0.4, 0.05))
        sketch = sketch.oval(loop, (0.08, 0.07), random.uniform(0.05, 0.8))
    sketch = sketch.oval((0.02, 0.14), (0.06, 0.06), random.uniform(0.05, 1.0))
    sketch = _vertebra(sketch, (0.0, 0.33), 0.13, bone)
    return _finish(sketch, random)


def draw_pelvis(random: Random) -> GrayPixels:
    """Draw a cross-section of the hips: two femoral heads in their sockets, bladder, muscles."""
    bone = random.uniform(0.55, 1.0)
    sketch = _start(random).oval((0, 0), (0.97, 0.6), random.uniform(0.6, 0.9))
    sketch = sketch.oval((0, 0.02), (0.86, 0.48), random.uniform(0.25, 0.4))
    for side in (-1, 1):
        sketch = sketch.oval((0.5 * side, -0.02), (0.2, 0.22), 0.08)
        sketch = sketch.oval((0.52 * side, -0.02), (0.15, 0.17), bone)
        sketch = sketch.bar((0.3 * side, 0.05), (0.04, 0.26), bone)
        sketch = sketch.oval((0.4 * side, 0.38), (0.3, 0.13), 0.45)
    sketch = sketch.oval((0, -0.12), (0.19, 0.17), random.choice([0.1, 0.95]))
    sketch = sketch.oval((0, 0.2), (0.1, 0.1), 0.4)
    return _finish(sketch.bar((0, 0.4), (0.09, 0.05), bone), random)


def draw_knee(random: Random) -> GrayPixels:
    """Draw a knee from the side: femur, tibia, kneecap, dark menisci and ligament, muscle."""
    marrow = random.uniform(0.6, 0.95)
    sketch = _start(random).bar((0, 0), (0.5, 1.15), random.uniform(0.3, 0.7))
    sketch = sketch.bar((0.05, 0), (0.4, 1.1), random.uniform(0.15, 0.35))
    for level, grown in ((0.03, 0.03), (marrow, 0.0)):  # dark cortex around bright marrow
        sketch = sketch.bar((0.0, -0.7), (0.17 + grown, 0.5 + grown), level)
        sketch = sketch.oval((0.02, -0.25), (0.32 + grown, 0.22 + grown), level)
        sketch = sketch.bar((0.0, 0.7), (0.17 + grown, 0.5 + grown), level)
        sketch = sketch.bar((0.0, 0.2), (0.32 + grown, 0.13 + grown), level)
        sketch = sketch.oval((-0.42, -0.3), (0.07 + grown, 0.15 + grown), level)
    sketch = sketch.oval((-0.2, 0.02), (0.1, 0.03), 0.05).oval((0.22, 0.02), (0.1, 0.03), 0.05)
    return _finish(sketch.bar((0.33, 0.2), (0.03, 0.5), 0.05), random)


def draw_spine(random: Random) -> GrayPixels:
    """Draw a spine from the side: a column of vertebrae and discs, the canal with its cord."""
    marrow, disc, fluid = (
        random.uniform(0.4, 0.9),
        random.uniform(0.1, 0.9),
        random.choice([0.1, 1]),
    )
    sketch = _start(random)
    sketch = sketch.fill(sketch.x > -0.8, random.uniform(0.15, 0.4))
    sketch = sketch.fill(sketch.x > 0.6, random.uniform(0.6, 0.95))
    bend = random.uniform(-0.15, 0.15)
    height = random.uniform(0.1, 0.16)
    for y in np.arange(-1.1, 1.2, 2.35 * height):
        x = -0.15 + bend * np.cos(2.0 * y)
        sketch = sketch.bar((x, y), (0.2, height * 0.9), 0.05).bar(
            (x, y), (0.18, height * 0.8), marrow
        )
        sketch = sketch.bar((x, y + 1.17 * height), (0.18, height * 0.22), disc)
        sketch = sketch.bar((x + 0.55, y + height), (0.16, height * 0.5), marrow * 0.8)
    canal = sketch.x - (0.15 + bend * np.cos(2.0 * sketch.y))
    sketch = sketch.fill(np.abs(canal) < 0.1, float(fluid))
    return _finish(sketch.fill(np.abs(canal) < 0.045, 0.5), random)


def draw_ankle(random: Random) -> GrayPixels:
    """Draw a foot and ankle from the side: shin bone, talus, heel, row of small bones, tendon."""
    marrow = random.uniform(0.6, 0.95)
    sketch = _start(random).bar((0.3, -0.35), (0.34, 0.8), random.uniform(0.3, 0.6))
    sketch = sketch.bar((-0.1, 0.5), (0.85, 0.3), random.uniform(0.3, 0.6))
    bones = (
        ((0.25, -0.5), (0.15, 0.55)),
        ((0.2, 0.2), (0.22, 0.13)),
        ((0.45, 0.47), (0.24, 0.16)),
        ((-0.08, 0.36), (0.1, 0.12)),
        ((-0.3, 0.43), (0.1, 0.1)),
        ((-0.6, 0.55), (0.2, 0.07)),
    )
    for centre, half in bones:
        grown = (half[0] + 0.025, half[1] + 0.025)
        sketch = sketch.bar(centre, grown, 0.05).bar(centre, half, marrow)
    return _finish(sketch.bar((0.6, -0.3), (0.03, 0.6), 0.04), random)


def draw_hand(random: Random) -> GrayPixels:
    """Draw a radiograph of a hand: five rows of bones over the shadow of the flesh."""
    flesh, bone = random.uniform(0.25, 0.4), random.uniform(0.7, 1.0)
    sketch = _start(random).oval((0, 0.35), (0.42, 0.42), flesh).bar((0, 0.95), (0.25, 0.4), flesh)
    for finger, lean in enumerate(np.linspace(-0.55, 0.55, 5)):
        reach = (0.75, 1.0, 1.08, 1.0, 0.7)[finger]
        for part in range(4):
            along = 0.2 + reach * part * 0.3
            centre = (0.1 * lean + along * np.sin(lean), 0.35 - along * np.cos(lean))
            sketch = sketch.oval(centre, (0.1, 0.19), flesh)
    for finger, lean in enumerate(np.linspace(-0.55, 0.55, 5)):
        reach = (0.75, 1.0, 1.08, 1.0, 0.7)[finger]
        for part in range(4):
            along = 0.2 + reach * part * 0.3
            centre = (0.1 * lean + along * np.sin(lean), 0.35 - along * np.cos(lean))
            sketch = sketch.oval(centre, (0.042, 0.12), bone)
    for _ in range(7):
        wrist = (random.uniform(-0.18, 0.18), random.uniform(0.45, 0.62))
        sketch = sketch.oval(wrist, (0.07, 0.06), bone)
    sketch = sketch.bar((-0.11, 0.95), (0.07, 0.28), bone).bar((0.1, 0.95), (0.06, 0.28), bone)
    return _finish(sketch, random)


def draw_chest_radiograph(random: Random) -> GrayPixels:
    """Draw a frontal radiograph of the chest: two dark lungs, ribs across them, heart, spine."""
    sketch = _start(random).bar((0, 0.1), (1.0, 1.2), random.uniform(0.5, 0.7))
    for side in (-1, 1):
        sketch = sketch.oval((0.42 * side, -0.05), (0.34, 0.68), random.uniform(0.1, 0.25))
    levels = sketch.levels
    for number in range(8):
        arch = sketch.y + 0.7 - 0.2 * number - 0.25 * sketch.x**2
        levels = levels + 0.12 * (np.abs(arch) < 0.035)
    levels = levels + 0.15 * (np.abs(sketch.x) < 0.09)
    sketch = Sketch(sketch.x, sketch.y, levels).oval((0.12, 0.3), (0.32, 0.3), 0.75)
    return _finish(sketch.oval((-0.4, 0.85), (0.55, 0.35), 0.8), random)


def draw_shoulder(random: Random) -> GrayPixels:
    """Draw a shoulder from the front: round humeral head, socket, muscles under bright fat."""
    marrow = random.uniform(0.6, 0.95)
    sketch = _start(random).oval((0.2, 0.3), (0.9, 1.1), random.uniform(0.6, 0.9))
    sketch = sketch.oval((0.25, 0.38), (0.78, 0.98), random.uniform(0.2, 0.35))
    for level, grown in ((0.04, 0.03), (marrow, 0.0)):
        sketch = sketch.oval((-0.1, 0.0), (0.3 + grown, 0.3 + grown), level)
        sketch = sketch.bar((-0.18, 0.65), (0.14 + grown, 0.6 + grown), level)
        sketch = sketch.bar((0.38, 0.05), (0.1 + grown, 0.22 + grown), level)
        sketch = sketch.bar((0.1, -0.48), (0.4 + grown, 0.06 + grown), level)
    for number in range(5):
        sketch = sketch.bar((0.55, -0.3 + 0.25 * number), (0.2, 0.02), marrow * 0.8)
    return _finish(sketch, random)


def draw_thigh(random: Random) -> GrayPixels:
    """Draw a cross-section of a limb: one bone ring in a bundle of muscles under fat."""
    fat = random.uniform(0.6, 0.95)
    radius = random.uniform(0.7, 0.85)
    sketch = _start(random).oval((0, 0), (radius, radius), fat)
    sketch = sketch.oval((0, 0), (radius - 0.12, radius - 0.14), fat * 0.8)
    for turn in np.linspace(0, 2 * np.pi, int(random.integers(6, 10)), endpoint=False):
        muscle = (0.38 * np.cos(turn), 0.36 * np.sin(turn))
        sketch = sketch.oval(muscle, (0.2, 0.18), random.uniform(0.22, 0.35))
    bone = (random.uniform(-0.1, 0.1), random.uniform(-0.15, 0.05))
    sketch = sketch.oval(bone, (0.17, 0.17), 0.03).oval(bone, (0.1, 0.1), fat)
    return _finish(sketch.oval((0.15, 0.3), (0.03, 0.03), 1.0), random)


def draw_head_ct(random: Random) -> GrayPixels:
    """Draw a CT of a head: a white ring of bone, and within it next to no contrast."""
    bone = 1.0
    brain = random.uniform(0.3, 0.6)
    sketch = _start(random, wobble=0.02).oval((0, 0), (0.72, 0.9), brain * 0.6)
    sketch = sketch.oval((0, 0), (0.68, 0.86), bone).oval((0, 0), (0.6, 0.78), brain)
    for side in (-1, 1):
        sketch = sketch.oval((0.1 * side, -0.1), (0.05, 0.2), brain * random.uniform(0.7, 0.95))
    table = np.abs(sketch.y - 0.98 + 0.12 * sketch.x**2) < 0.012
    return _finish(sketch.fill(table, 0.5), random)


def _start(random: Random, wobble: float = 0.05) -> Sketch:
    """Return a black sketch whose coordinates are bent, turned and scaled a little."""
    size = int(random.integers(128, 288))
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    y, x = axis[:, None], axis[None]
    bend = [_smooth_field(random, size, size / 5) * wobble for _ in range(2)]
    angle, zoom = random.normal(0, 0.08), random.uniform(0.95, 1.25)
    turned_x = zoom * (np.cos(angle) * x - np.sin(angle) * y) + bend[0]
    turned_y = zoom * (np.sin(angle) * x + np.cos(angle) * y) + bend[1]
    return Sketch(turned_x, turned_y, np.zeros((size, size), dtype=np.float32))


def _vertebra(sketch: Sketch, centre: tuple[float, float], radius: float, bone: float) -> Sketch:
    x, y = centre
    sketch = sketch.oval(centre, (radius, radius * 0.8), bone)
    sketch = sketch.oval((x, y + 1.1 * radius), (0.9 * radius, 0.5 * radius), bone)
    return sketch.oval((x, y + radius), (0.4 * radius, 0.35 * radius), 0.2)


def _finish(sketch: Sketch, random: Random) -> GrayPixels:
    """Blur the edges, shade the tissue unevenly, add noise and a coil's bias."""
    size = len(sketch.levels)
    levels = ndimage.gaussian_filter(sketch.levels, BLUR * size / 256)
    texture = _smooth_field(random, size, random.uniform(1.0, 3.0))
    levels = levels * (1.0 + random.uniform(0.03, 0.15) * texture)
    levels = levels * np.exp(0.2 * _smooth_field(random, size, size / 3))
    noise = random.standard_normal((2, size, size), dtype=np.float32)
    noise = noise * np.float32(random.uniform(0.005, 0.04))
    levels = np.hypot(levels + noise[0], noise[1])
    return np.asarray(np.clip(levels, 0.0, 1.0), dtype=np.float32)


def _smooth_field(random: Random, size: int, sigma: float) -> Plane:
    """Return (size, size) of smooth noise with mean 0 and spread 1."""
    coarse = max(1, int(sigma / 3))  # drawn small and enlarged: much faster, and as smooth
    small = random.standard_normal((size // coarse + 2,) * 2, dtype=np.float32)
    smooth = Image.fromarray(ndimage.gaussian_filter(small, sigma / coarse), mode="F")
    field = np.asarray(smooth.resize((size, size), Image.Resampling.BILINEAR))
    return np.asarray((field - field.mean()) / (field.std() + 1e-9), dtype=np.float32)
