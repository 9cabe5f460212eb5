#!/usr/bin/env python3
"""Makes `lessons.json`, which the tests of the teacher are held to. Needs NumPy, PyTorch and Pillow.

No face of anybody: `MEAN` is the mean of thousands, the displacements and the faces are made up here. `teach` is the one of
the script with which the method was tried first, with folds of the upper lids, closing lips, limited eyes,
limited changes and concentrated gains added.
"""
import json
import os

import numpy as np
import torch
from PIL import Image, ImageDraw

MEAN = torch.tensor([
    71, 231, 69, 406, 73, 496, 111, 694, 150, 778, 196, 840, 303, 932, 415, 989, 492, 998, 569, 989, 681, 932, 788, 840,
    833, 778, 872, 694, 911, 496, 915, 406, 912, 231, 116, 196, 183, 197, 241, 182, 317, 190, 403, 204, 580, 204, 667, 190,
    742, 182, 801, 197, 868, 196, 492, 306, 492, 403, 492, 491, 492, 545, 407, 588, 441, 609, 492, 613, 543, 609, 577, 588,
    218, 318, 257, 297, 320, 295, 385, 334, 330, 342, 269, 342, 599, 334, 664, 295, 727, 297, 765, 318, 715, 342, 654, 342,
    320, 721, 392, 694, 440, 686, 492, 695, 543, 686, 592, 694, 664, 721, 589, 799, 544, 817, 492, 822, 439, 817, 394, 799,
    335, 723, 449, 726, 492, 729, 535, 726, 649, 723, 535, 760, 492, 764, 449, 760,
], dtype=torch.float32).reshape(68, 2) / 1000
ST = [36, 39, 42, 45, 27, 28, 29, 30, 31, 35]
UNITS = "1 2 4 5 6 7 9 10 12 14 15 17 20 23 25 26 45".split()
PAIRS = [(61, 67), (62, 66), (63, 65), (37, 41), (38, 40), (43, 47), (44, 46)]
NG, S = 32, 64
g9 = torch.linspace(0, 1, 9)
ANC = torch.tensor([(float(x), float(y)) for x in g9 for y in g9 if x in (0, 1) or y in (0, 1)])
tt = (torch.arange(NG) + 0.5) / NG
GR = torch.stack(torch.meshgrid(tt, tt, indexing="xy"), -1).reshape(-1, 2)
OPENINGS = (
    ([60, 61, 62, 63, 64, 65, 66, 67], (61, 62, 63), (67, 66, 65)),
    ([36, 37, 38, 39, 40, 41], (37, 38), (41, 40)),
    ([42, 43, 44, 45, 46, 47], (43, 44), (47, 46)),
)


def frame(l):
    a = MEAN[ST] - MEAN[ST].mean(0)
    b = l[:, ST] - l[:, ST].mean(1, keepdim=True)
    u, s, v = torch.linalg.svd(b.transpose(1, 2) @ a)
    d = torch.sign(torch.linalg.det(u @ v))
    D = torch.stack([torch.ones_like(d), d], -1)
    return ((s * D).sum(-1) / (a**2).sum())[:, None, None] * (u * D[:, None]) @ v


def U(r2):
    return torch.where(r2 > 0, r2 * torch.log(r2 + 1e-12), torch.zeros_like(r2))


def teach(l, shown, target, B, gains):
    n, delta = len(l), target - shown
    # Of the brows' units, and of all others.
    parts = [part.abs() for part in (delta[:, :3], delta[:, 3:])]
    concentration = [part.amax(1, True) / part.sum(1, True).clamp(min=1e-9) for part in parts]
    concentration = torch.cat([share.expand_as(part) for share, part in zip(concentration, parts)], 1)
    # Large changes are limited.
    delta = 5 * delta / (1 + delta**2) ** 0.5 * (1 + (gains - 1) * concentration)
    BS = B
    # A rise of AU45 closes the eyes, below.
    blink = (target - shown)[:, UNITS.index("45")]
    delta[:, UNITS.index("45")].clamp_(max=0)
    mv = torch.einsum("nk,kpd->npd", delta, BS)
    mv = mv @ frame(l).transpose(1, 2)
    mv[:, :17] *= 0.6
    dst = l + mv
    # Lips close as far as AU25 falls.
    parted = lambda units: units[:, UNITS.index("25")].clamp(min=0)
    p, q = parted(shown), parted(target)
    for a, b, above, below in ((61, 67, 50, 58), (62, 66, 51, 57), (63, 65, 52, 56)):
        left = (l[:, b, 1] - l[:, a, 1]).clamp(min=0) * q / p.clamp(min=1e-9)
        excess = torch.where(q < p, (dst[:, b, 1] - dst[:, a, 1] - left).clamp(min=0), torch.zeros(n))
        dst[:, [a, above], 1] += 0.3 * excess[:, None]
        dst[:, [b, below], 1] -= 0.7 * excess[:, None]
    # Eyes open to at most 1.2 times their gap, or to that of the mean face.
    scale = torch.linalg.det(frame(l)).abs().sqrt()
    for a, b in ((37, 41), (38, 40), (43, 47), (44, 46)):
        widest = torch.maximum(1.2 * (l[:, b, 1] - l[:, a, 1]), scale * (MEAN[b, 1] - MEAN[a, 1]))
        dst[:, a, 1] += (dst[:, b, 1] - dst[:, a, 1] - widest).clamp(min=0)
    for a, b in ((37, 41), (38, 40), (43, 47), (44, 46)):
        moved = (blink / 0.8).clamp(0, 1) * (dst[:, b, 1] - dst[:, a, 1]).clamp(min=0)
        dst[:, a, 1] += 0.75 * moved
        dst[:, b, 1] -= 0.25 * moved
    for a, b in PAIRS:
        over = (dst[:, a, 1] - dst[:, b, 1]).clamp(min=0) / 2
        dst[:, a, 1] -= over
        dst[:, b, 1] += over
    folds, folds_to = [], []
    for lid, brow in ((37, 19), (38, 20), (43, 23), (44, 24)):
        between = lambda points: points[:, lid] + 0.4 * (points[:, brow] - points[:, lid])
        start, end, a, b = between(l), between(dst).clone(), *(dst[:, [lid, brow], 1] - l[:, [lid, brow], 1]).T
        less, more = torch.where(a.abs() < b.abs(), a, b), torch.where(a.abs() < b.abs(), b, a)
        # The skin unfolds in one place when they part.
        end[:, 1] = torch.where(a > b, start[:, 1] + less + 0.2 * (more - less), end[:, 1])
        folds.append(start)
        folds_to.append(end)
    folds, folds_to = torch.stack(folds, 1), torch.stack(folds_to, 1)
    mv = torch.cat([dst - l, folds_to - folds], 1)
    # Lids and lips that close hide what is between them.
    controls, cell = dst.clone(), 1 / NG
    for a, b in PAIRS:
        left = (dst[:, b, 1] - dst[:, a, 1]).clamp(min=0)
        missing = (l[:, b, 1] - l[:, a, 1] - left > 0.006) * (cell - left).clamp(min=0)
        controls[:, b, 1] += missing
        for point in (a, b):
            mv[:, point] *= 1 + missing[:, None] / cell
    P = torch.cat([controls, folds_to, ANC.expand(n, -1, -1)], 1)
    V = torch.cat([-mv, torch.zeros(n, len(ANC), 2)], 1)
    N = P.shape[1]
    K = U(((P[:, :, None] - P[:, None]) ** 2).sum(-1)) + torch.eye(N) * 2e-3
    Q = torch.cat([torch.ones(n, N, 1), P], 2)
    A = torch.cat([torch.cat([K, Q], 2), torch.cat([Q.transpose(1, 2), torch.zeros(n, 3, 3)], 2)], 1)
    W = torch.linalg.solve(A, torch.cat([V, torch.zeros(n, 3, 2)], 1))
    f = U(((GR[None, :, None] - P[:, None]) ** 2).sum(-1)) @ W[:, :N]
    f = f + torch.cat([torch.ones(NG * NG, 1), GR], 1) @ W[:, N:]
    H = S // 2
    m = np.zeros((n, 1, H, H), "f4")
    ln, dn = l.numpy(), dst.numpy()
    for i in range(n):
        im = Image.new("L", (H * 2, H * 2))
        dr = ImageDraw.Draw(im)
        for poly, up, lo in OPENINGS:
            g0 = max(0, np.mean(ln[i][list(lo), 1] - ln[i][list(up), 1]))
            g1 = np.mean(dn[i][list(lo), 1] - dn[i][list(up), 1])
            w = np.clip((g1 - g0) / max(g1, 0.01), 0, 1) if g1 - g0 > 0.006 else 0
            # An eye that is open is stretched, not painted.
            w = w * 1.5 if poly[0] == 60 else max(0, 2 * w - 1)
            if w > 0:
                dr.polygon([tuple(q) for q in (dn[i][poly] * H * 2)], fill=int(255 * min(1, w)))
        m[i, 0] = np.asarray(im.resize((H, H), Image.BOX), dtype="f4") / 255
    return f.transpose(1, 2).reshape(n, 2, NG, NG), torch.from_numpy(m), dst


# Displacements per unit of intensity, in shares of the side: [(points, x, y)]; x points outwards.
MADE_UP = {
    "2": [(range(17, 27), 0, -0.015)],
    "4": [((20, 21, 22, 23), -0.005, 0.008)],
    "5": [((37, 38, 43, 44), 0, -0.004)],
    "12": [((48, 54, 60, 64), 0.014, -0.02), (range(4, 13), 0, -0.004)],
    "15": [((48, 54, 60, 64), -0.002, 0.014)],
    "25": [((65, 66, 67, 56, 57, 58), 0, 0.018), ((61, 62, 63, 50, 51, 52), 0, -0.007)],
    "26": [(range(5, 12), 0, 0.02), (range(55, 60), 0, 0.015), (range(65, 68), 0, 0.015)],
    "45": [((37, 38, 43, 44), 0, 0.01)],
}
B = torch.zeros(17, 68, 2)
for unit, moves in MADE_UP.items():
    for points, x, y in moves:
        for point in points:
            side = 0 if abs(float(MEAN[point, 0]) - 0.5) < 0.01 else 1 if MEAN[point, 0] > 0.5 else -1
            B[UNITS.index(unit), point] = torch.tensor([side * x, y])

torch.manual_seed(1)
GAINS = torch.rand(17) + 1


def face(angle, scale, x, y):
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float32)
    l = (MEAN - 0.5) @ turn.T * scale + 0.5 + torch.tensor([x, y]) + torch.randn(68, 2) * 0.004
    return (l * 1e4).round() / 1e4


def order(**units):
    d = torch.zeros(17)
    for unit, value in units.items():
        d[UNITS.index(unit[1:])] = value
    return d


# What a face shows, and what it is to show.
lessons = [
    # A surprised smile.
    (face(0.1, 1.05, 0.01, -0.02), order(u14=0.1), order(u14=0.1, u2=0.3, u12=0.5, u25=0.6, u26=0.3)),
    # Shuts the mouth by two thirds, opens the eyes.
    (face(-0.15, 0.9, -0.03, 0.01), order(u25=0.9, u26=0.6, u45=0.5), order(u5=0.4, u25=0.3, u26=0.2)),
    # Frowns, shuts the eyes.
    (face(0.0, 1.0, 0.0, 0.03), order(u12=0.3), order(u4=0.7, u15=0.6, u45=0.6)),
]
L, SHOWN, TARGET = (torch.stack(list(part)) for part in zip(*lessons))
fields, masks, moved = teach(L.clone(), SHOWN, TARGET, B, GAINS)
flat = lambda t, n: [round(float(v), n) for v in t.reshape(-1)]
made = dict(
    mean=flat(MEAN, 4),
    displacement=flat(B, 5),
    gains=flat(GAINS, 8),
    mask_side=S // 2,
    lessons=[
        dict(landmarks=flat(L[i], 5), shown=flat(SHOWN[i], 3), target=flat(TARGET[i], 3), field=flat(fields[i], 6), mask=flat(masks[i], 4), moved=flat(moved[i], 7))
        for i in range(len(L))
    ],
)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lessons.json")
with open(path, "w") as file:
    json.dump(made, file, separators=(",", ":"))
    file.write("\n")
