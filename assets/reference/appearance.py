"""Fits what `appearance.rs` in `crates/ganimation-train/src/motion` knows: hues and brightness of mouths, lips and lids.

    python assets/reference/appearance.py faces

`faces` is a dataset with `landmarks.csv`. Needs numpy and Pillow. Writes `mouths.in`, `lips.in` and `lids.in` beside `appearance.rs`.
"""

import csv
import pickle
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

OUTPUT = Path(__file__).parents[2] / "crates/ganimation-train/src/motion"
SIZE = 128
# Distance of the inner lips, in pixels, from which a mouth is open.
OPEN = 4
# Distance of the inner lips, in pixels, up to which a mouth is closed.
SHUT = 1.5
# Points of the inner lips, each with its neighbour on the outer lips, and how far a seam extends into the lips.
LIPS = ((60, 48), (61, 50), (62, 51), (63, 52), (64, 54), (65, 56), (66, 57), (67, 58))
INTO_LIPS = 0.3
# Height of a closed eye as a fraction of its width.
CLOSED = 0.15
# Points of the upper and the lower lid, from corner to corner.
EYES = (((36, 37, 38, 39), (41, 40)), ((42, 43, 44, 45), (47, 46)))
# Cells of an open mouth, of closed lips and of a lid, in rows and columns, and the pixels from which they count.
MOUTH = dict(rows=4, columns=5, area=40)
SEAM = dict(rows=3, columns=5, area=30)
LID = dict(rows=3, columns=3, area=12)


def examples(root):
    """The training faces: picture in [-1, 1], landmarks, AUs / 5."""
    aus = pickle.load(open(root / "aus_openface.pkl", "rb"), encoding="latin1")
    training = set((root / "train_ids.csv").read_text().split())
    for name, *values in list(csv.reader(open(root / "landmarks.csv")))[1:]:
        if name in training:
            picture = Image.open(root / "imgs" / name).convert("RGB")
            points = np.array(values, float).reshape(2, 68).T
            yield np.asarray(picture, float) / 127.5 - 1, points, np.array(aus[Path(name).stem], float) / 5


def drawn(outline):
    """The mask of a polygon at half the resolution, enlarged, like the teacher's masks."""
    mask = Image.new("L", (SIZE * 4, SIZE * 4))
    ImageDraw.Draw(mask).polygon([tuple(point * 4) for point in outline], fill=255)
    mask = mask.resize((SIZE // 2, SIZE // 2), Image.BOX).resize((SIZE, SIZE), Image.BILINEAR)
    return np.asarray(mask, float) / 255


def middle(picture):
    return picture[SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4]


def mouths(faces):
    """Of each open mouth: the picture's lower half, the mask there, the middle of the face, and AUs."""
    for picture, points, aus in faces:
        if (points[65:68, 1] - points[[63, 62, 61], 1]).mean() >= OPEN:
            yield picture[SIZE // 2 :], drawn(points[60:68])[SIZE // 2 :], middle(picture), aus


def lips(faces):
    """Of each closed mouth: like `mouths`, with the mask of the seam."""
    for picture, points, aus in faces:
        if (points[65:68, 1] - points[[63, 62, 61], 1]).mean() <= SHUT:
            outline = [points[inner] + INTO_LIPS * (points[outer] - points[inner]) for inner, outer in LIPS]
            yield picture[SIZE // 2 :], drawn(outline)[SIZE // 2 :], middle(picture), aus


def lids(faces):
    """Of each closed eye: the picture's quarter, the mask of the lid there, the middle of this side of the face; no AUs."""
    for picture, points, _ in faces:
        for side, (upper, lower) in enumerate(EYES):
            edge = points[list(upper)]
            width = np.linalg.norm(edge[3] - edge[0])
            if (points[list(lower), 1] - edge[1:3, 1]).mean() <= CLOSED * width:
                raised = lambda share: edge - np.array([[0, 0], [0, share], [0, share], [0, 0]]) * width
                mask = drawn([*raised(0.06), *raised(0.3)[::-1]])
                here = slice(0, SIZE // 2), slice(side * SIZE // 2, (side + 1) * SIZE // 2)
                face = np.split(middle(picture), 2, 1)[side]
                yield picture[here], mask[here], face, []


def detail(brightness, mask):
    """Mean absolute difference of horizontal neighbours, and of vertical ones."""
    both = [np.moveaxis(array, axis, 0) for axis in (1, 0) for array in (brightness, mask)]
    pairs = [(np.abs(b[1:] - b[:-1]), m[1:] * m[:-1]) for b, m in (both[:2], both[2:])]
    return [(change * here).sum() / max(here.sum(), 1e-3) for change, here in pairs]


def statistics(brightness, mask, rows, columns):
    """Mean of each cell; standard deviation; detail in the middle. See `appearance.rs`."""
    column = mask.sum(0)
    down = (np.cumsum(mask, 0) - mask / 2) / np.maximum(column, 1e-3)
    across = ((np.cumsum(column) - column / 2) / mask.sum())[None] + 0 * mask
    hats = [[np.maximum(0, 1 - np.abs(place * (count - 1) - at)) for at in range(count)]
            for place, count in ((down, rows), (across, columns))]
    cells = [height * side * mask for height in hats[0] for side in hats[1]]
    means = [(cell * brightness).sum() / max(cell.sum(), 1e-3) for cell in cells]
    mean = (mask * brightness).sum() / mask.sum()
    deviation = np.sqrt((mask * (brightness - mean) ** 2).sum() / mask.sum())
    return [*means, deviation, *detail(brightness, mask * (1 - np.abs(across * 2 - 1)))]


def fit(name, found, rows, columns, area):
    found = [example for example in found if example[1].sum() >= area]
    inputs, outputs, left, right = [], [], [], []
    for picture, mask, face, aus in found:
        of_face = face.mean(2)
        known = [1, of_face.mean(), *detail(of_face, np.ones(of_face.shape)), mask.sum() / 1000, *aus]
        # Mirrored too, because both sides are alike.
        for flipped in (slice(None), slice(None, None, -1)):
            inputs.append(known)
            outputs.append(statistics(picture[:, flipped].mean(2), mask[:, flipped], rows, columns))
        inside, hue = picture[mask > 0.9], face.mean((0, 1)) - face.mean()
        brightness = inside.mean(1, keepdims=True)
        left.append(np.concatenate([brightness**0, brightness, brightness**2], 1)[:, None] * hue[:, None])
        right.append(inside - brightness)
    inputs, outputs = np.array(inputs), np.array(outputs)
    factors = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    errors = (outputs - inputs @ factors).std(0)
    left, right = np.concatenate(left), np.concatenate(right)
    shares = np.array([np.linalg.lstsq(left[:, c], right[:, c], rcond=None)[0] for c in range(3)])
    off = right - np.einsum("ncp,cp->nc", left, shares)
    print(f"{len(found)} {name}: brightness varies by {outputs.std(0)[:-3].mean():.3f} and is off by"
          f" {errors[:-3].mean():.3f}, hues by {right.std():.3f} and {(off ** 2).mean() ** 0.5:.3f}")
    line = lambda values: "[" + ", ".join(f"{value:.3f}" for value in values) + "]"
    table = lambda values: "[\n" + "".join(f"        {line(row)},\n" for row in values) + "    ]"
    OUTPUT.joinpath(f"{name}.in").write_text(
        f"Region {{\n    cells: [{rows}, {columns}],\n    area: {area}.0,\n    hues: {table(shares)},\n    factors: {table(factors)},\n    errors: {line(errors)},\n}}\n")


def main():
    faces = list(examples(Path(sys.argv[1])))
    fit("mouths", mouths(faces), **MOUTH)
    fit("lips", lips(faces), **SEAM)
    fit("lids", lids(faces), **LID)


main()
