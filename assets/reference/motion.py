#!/usr/bin/env python3
"""Makes motion.safetensors beside it: the motion network in plain PyTorch, double precision, true double backward.

Written from this project's own description of the network and its losses. Usage: python3 motion.py [FOLDER]
"""
import ast
import re
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent
AUS, SIZE, FACES, CHANNELS, BLOCKS = 17, 64, 2, 2, 1
# Faces of this size are used to compare the generator only: not square, and small enough to store.
HEIGHT, WIDTH = 24, 32
MAX_MOTION, MAX_SHADING, ORDER_GAIN, MATCH_GAIN, SLOPE = 0.12, 0.2, 2.0, 4.0, 0.05
# Top, bottom, left, right in eighths of the side.
MOUTH, EYES = (4, 8, 1, 7), (1, 4, 0, 8)
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True, warn_only=True)


class Norm(nn.Module):
    """Scale and shift are changed by the orders."""

    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))
        self.orders = nn.Linear(AUS, 2 * c, bias=False)

    def forward(self, x, orders):
        x = F.instance_norm(x, weight=self.weight, bias=self.bias, eps=1e-5)
        scale, shift = self.orders(ORDER_GAIN * orders)[:, :, None, None].chunk(2, 1)
        return x * (1 + scale) + shift


class Ordered(nn.Sequential):
    def forward(self, x, orders):
        for layer in self:
            x = layer(x, orders) if isinstance(layer, (Norm, Residual)) else layer(x)
        return x


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        conv = lambda: nn.Conv2d(c, c, 3, 1, 1, bias=False)
        self.main = Ordered(conv(), Norm(c), nn.ReLU(), conv(), Norm(c))

    def forward(self, x, orders):
        return x + self.main(x, orders)


def enlarged(x, height, width):
    return F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)


def warp(x, field):
    """Reads every pixel from where `field` points, in shares of width and height."""
    height, width = x.shape[2:]
    centers = lambda n: (torch.arange(n) + 0.5) / n * 2 - 1
    identity = torch.stack(torch.meshgrid(centers(width), centers(height), indexing="xy"), -1)[None]
    grid = identity + 2 * field.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


class Enlarging(nn.Conv2d):
    """Each pixel twice in both directions, then a convolution."""

    def __init__(self, i, o):
        super().__init__(i, o, 3, 1, 1, bias=False)

    def forward(self, x):
        return super().forward(x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def smooth(x):
    """Each pixel with its neighbours, 1 : 2 : 1 down and across."""
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, groups=x.shape[1])


class Generator(nn.Module):
    """With an edge kernel of 7 it enlarges by transposed convolutions, leaves sub-pixels alone and shades coarsely."""

    def __init__(self, edge, c=CHANNELS):
        super().__init__()
        self.edge, self.fine = edge, smooth if edge == 3 else lambda x: x
        conv = lambda i, o, k, s, p: [nn.Conv2d(i, o, k, s, p, bias=False), Norm(o), nn.ReLU()]
        twice = lambda i, o: nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False) if edge == 7 else Enlarging(i, o)
        up = lambda i, o: [twice(i, o), Norm(o), nn.ReLU()]
        self.main = Ordered(
            *conv(12, c, edge, 1, edge // 2), *conv(c, 2 * c, 4, 2, 1), *conv(2 * c, 4 * c, 4, 2, 1),
            *[Residual(4 * c) for _ in range(BLOCKS)], *up(4 * c, 2 * c), *up(2 * c, c))
        head = lambda o, bias=False: nn.Sequential(nn.Conv2d(c, o, edge, 1, edge // 2, bias=bias))
        self.img_reg, self.attetion_reg = head(12), head(4, bias=True)
        self.motion_reg, self.shading_reg = head(2), head(1)

    def forward(self, x, orders):
        height, width = x.shape[2:]
        h = self.main(F.pixel_unshuffle(x, 2), orders)
        # Less is done for orders that add up to next to nothing, and nothing for none.
        whole = (orders.abs().sum(1) / 0.1).clamp(max=1)[:, None, None, None]
        color = torch.tanh(self.fine(F.pixel_shuffle(self.img_reg(h), 2)))
        attention = 1 - whole * (1 - torch.sigmoid(self.fine(F.pixel_shuffle(self.attetion_reg(h), 2))))
        motion = whole * MAX_MOTION * torch.tanh(F.avg_pool2d(self.motion_reg(h), 2))
        shading = self.shading_reg(h) if self.edge == 3 else F.avg_pool2d(self.shading_reg(h), 2)
        shading = whole * MAX_SHADING * torch.tanh(shading)
        image = composed(x, attention, color, motion, shading)
        return dict(image=image, attention=attention, color=color, motion=motion, shading=shading)


def composed(x, attention, color, motion, shading):
    """The edit equation."""
    moved = warp(x, enlarged(motion, *x.shape[2:]))
    # Brightness counts from black, which is -1.
    kept = ((moved + 1) * (1 + enlarged(shading, *x.shape[2:])) - 1).clamp(-1, 1)
    return attention * kept + (1 - attention) * color


def strided(sizes):
    layers = [[nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(SLOPE)] for i, o in zip(sizes, sizes[1:])]
    return nn.Sequential(*sum(layers, []))


class Part(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.main = strided([3, c, 2 * c, 4 * c])
        self.realness, self.matching = nn.Conv2d(4 * c, 1, 3, 1, 1), nn.Conv2d(4 * c, AUS, 1)

    def forward(self, x):
        top = self.main(x)
        return self.realness(top).flatten(1), self.matching(top.mean((2, 3), keepdim=True)).flatten(1)


class Discriminator(nn.Module):
    def __init__(self, c=CHANNELS, local=CHANNELS):
        super().__init__()
        # Half of 64 pixels, halved until two are left.
        self.whole = strided([3, c, 2 * c, 4 * c, 8 * c])
        head = lambda o: nn.Conv2d(8 * c, o, 2)
        self.realness, self.matching, self.aus = head(1), head(AUS), head(AUS)
        self.mouth, self.eyes = Part(local), Part(local)
        self.register_buffer("mean_aus", torch.zeros(AUS))

    def at_mouth(self, x):
        """The activations of the mouth's layers."""
        found, x = [], x[:, :, MOUTH[0] * SIZE // 8:MOUTH[1] * SIZE // 8, MOUTH[2] * SIZE // 8:MOUTH[3] * SIZE // 8]
        for layer in self.mouth.main:
            x = layer(x)
            found += [x] if isinstance(layer, nn.LeakyReLU) else []
        return found

    def forward(self, x, aus):
        """Score `[batch]`, patches, action units."""
        cut = lambda part: x[:, :, part[0] * SIZE // 8:part[1] * SIZE // 8, part[2] * SIZE // 8:part[3] * SIZE // 8]
        key = MATCH_GAIN * (aus - self.mean_aus)
        top = self.whole(F.avg_pool2d(x, 2))
        (patches, of_mouth), (more, of_eyes) = self.mouth(cut(MOUTH)), self.eyes(cut(EYES))
        matching = self.matching(top).flatten(1) + of_mouth + of_eyes
        score = self.realness(top).flatten() + (matching * key).sum(1)
        return score, torch.cat([patches, more], 1), self.aus(top).flatten(1)


def drawn(network, seed):
    """Weights on both sides of zero everywhere, and of a size that neither saturates nor starves."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if p.dim() == 4:
                p.copy_(torch.randn_like(p) * (2 / p[0].numel()) ** 0.5)
            elif "orders" in name:
                p.copy_(0.1 * torch.randn_like(p))
            elif name.endswith("weight"):
                p.copy_(1 + 0.3 * torch.randn_like(p))
            else:
                p.copy_(0.2 * torch.randn_like(p))
        for name, b in network.named_buffers():
            b.copy_(torch.rand_like(b) * 0.3)
    return network


def penalty(critic, images, aus):
    """R1: the squared gradient, at real faces, of the score and of the patches' sum over the root of their number."""
    images = images.detach().requires_grad_()
    score, patches, _ = critic(images, aus)
    gradient, = torch.autograd.grad(score.sum() + patches.sum() / patches.shape[1] ** 0.5, images, create_graph=True)
    return gradient.pow(2).flatten(1).sum(1).mean()


# The default weights of both stages, but features match.
TAUGHT = dict(motion=4.0, motion_in_pairs=0.5, mask=6.0, mask_inside=4.0, copy=0.3, pixels=4.0, pixels_inside=4.0,
              shading=6.0)
MATCHED = dict(adversarial=0.5, patches=1.2, mismatched=0.5, aus=30.0, aus_falling=0.5, r1=0.5,
               r1_every=8, cycle=10.0, cycle_inside=8.0, cycle_every=2, paint=40.0, paint_inside=0.05, mask=6.0,
               mask_inside=4.0, hues=30.0, mouths=1.5, lips=0.5, lids=0.5, mask_tv=1.0, motion=400.0, shading=6.0,
               stains=300.0, shading_tv=4.0, identity=10.0, pixels=10.0, pixels_inside=4.0, features=4.0)


def full(mask):
    return enlarged(mask, SIZE, SIZE)


def led(b):
    """The pairs' real faces, led back by the teacher; what is left of teeth between closed lips is covered."""
    moved = warp(b["pairs/images"], full(b["pairs/lead"]))
    line = (full(F.avg_pool2d(moved, 8)) + 1) * 0.6 - 1
    seam = full(b["pairs/lead_seam"])
    seam[:, :, :SIZE // 2] = 0  # closing eyes
    return moved + (line - moved) * seam


def variation(x):
    return (x[:, :, 1:] - x[:, :, :-1]).abs().mean() + (x[..., 1:] - x[..., :-1]).abs().mean()


def cross_entropy(attention, mask, w):
    painted = F.avg_pool2d(1 - attention, 2).clamp(1e-4, 1 - 1e-4)
    return -(w["mask_inside"] * mask * painted.log() + (1 - mask) * (1 - painted).log()).mean()


def moved_error(motion, field):
    """Of each face; places that move count more."""
    return ((motion - field).abs() * (1 + 100 * field.abs())).mean((1, 2, 3))


def taught(generator, b, w=TAUGHT):
    x, both = b["images"], lambda name: torch.cat([b[name], b[f"pairs/{name}"]])
    orders = torch.cat([b["targets"] - b["aus"], b["pairs/aus"] - b["pairs/led_aus"]])
    edit = generator(torch.cat([x, led(b)]), orders)
    share = torch.tensor([1.0] * len(x) + [w["motion_in_pairs"]] * len(b["pairs/aus"]))
    off = moved_error(edit["motion"], both("field")) * SIZE
    of_mask = cross_entropy(edit["attention"], torch.maximum(both("mask"), both("seam")), w)
    difference = (edit["image"][len(x):] - b["pairs/images"]).abs()
    terms = dict(
        motion=(off * share).mean(), mask=of_mask, copy=(edit["color"][:len(x)] - x).abs().mean(),
        pixels=(difference * (1 + w["pixels_inside"] * full(b["pairs/mask"]))).mean(),
        shading=edit["shading"].abs().mean())
    return sum(w[name] * term for name, term in terms.items()), terms


def difference(found, real):
    """Of brightness absolutely, of hues squared."""
    off = found - real
    brightness = off.mean(1, keepdim=True)
    return brightness.abs() + 4 * (off - brightness).pow(2)


# What mouths, closed lips and lids look like; appearance.py fits it.
REGIONS = {}
for name in ("mouths", "lips", "lids"):
    text = (Path(__file__).parents[2] / f"crates/ganimation-train/src/motion/{name}.in").read_text()
    region = ast.literal_eval(re.sub(r"(\w+):", r'"\1":', text.removeprefix("Region ")))
    REGIONS[name] = {key: torch.tensor(values) for key, values in region.items()}


def sides(x):
    """Left halves, then right ones."""
    return torch.cat(x.chunk(2, 3))


def at_mouths(color, x, mask):
    return color[:, :, SIZE // 2:], middle(x), mask[:, :, SIZE // 2:]


def at_lids(color, x, mask):
    return sides(color[:, :, :SIZE // 2]), sides(middle(x)), sides(mask[:, :, :SIZE // 2])


def middle(x):
    return x[:, :, SIZE // 4:SIZE * 3 // 4, SIZE // 4:SIZE * 3 // 4]


def hue_error(painted, region):
    """Of paint, from the hues that the region has at its brightness, as shares of the face's hue."""
    color, face, mask = painted
    of_face = face.mean((2, 3), keepdim=True)
    of_face = of_face - of_face.mean(1, keepdim=True)
    brightness = color.mean(1, keepdim=True)
    hue, brightness = color - brightness, brightness.detach()
    a, b, c = region["hues"].T[..., None, None]
    off = (hue - (a + b * brightness + c * brightness ** 2) * of_face).pow(2) * mask
    return (off.mean((1, 2, 3)) / (mask.mean((1, 2, 3)) + 1e-3)).mean()


def detail(brightness, mask):
    """Mean absolute difference of horizontal neighbours, and of vertical ones."""
    found = []
    for axis in (3, 2):
        change, here = brightness.diff(dim=axis).abs(), mask.narrow(axis, 0, mask.shape[axis] - 1)
        here = here * mask.narrow(axis, 1, mask.shape[axis] - 1)
        found.append((change * here).sum((1, 2, 3)) / here.sum((1, 2, 3)).clamp(min=1e-3))
    return torch.stack(found, 1)


def statistics(brightness, mask, rows, columns, scale):
    """Mean of each cell; standard deviation; detail in the middle."""
    column = mask.sum(2, keepdim=True)
    down = (mask.cumsum(2) - mask / 2) / column.clamp(min=1e-3)
    area = column.sum(3, keepdim=True).clamp(min=1e-3)
    across = (column.cumsum(3) - column / 2) / area
    hat = lambda at, step, count: (1 - (at * (count - 1) - step).abs()).clamp(min=0)
    cells = [hat(down, row, rows) * hat(across, side, columns) for row in range(rows) for side in range(columns)]
    cells = torch.cat(cells, 1) * mask
    means = (brightness * cells).sum((2, 3)) / cells.sum((2, 3)).clamp(min=1e-3)
    mean = (brightness * mask).sum((2, 3), keepdim=True) / area
    variance = ((brightness - mean).pow(2) * mask).sum((2, 3)) / area.flatten(1)
    inner = mask * (1 - (2 * across - 1).abs())
    return torch.cat([means, (variance + 1e-3).sqrt(), scale * detail(brightness, inner)], 1)


def brightness_error(painted, region, aus=None):
    """Of paint, from the statistics that the region has."""
    color, face, mask = painted
    scale, (rows, columns) = SIZE / 128, region["cells"].long().tolist()
    face, area = face.mean(1, keepdim=True), mask.sum((1, 2, 3))[:, None] / scale ** 2
    brightness = face.mean((2, 3))
    inputs = [torch.ones_like(brightness), brightness, scale * detail(face, torch.ones_like(face)), area / 1000]
    expected = torch.cat(inputs + ([] if aus is None else [aus]), 1) @ region["factors"]
    found = statistics(color.mean(1, keepdim=True), mask, rows, columns, scale)
    off = ((found - expected) / region["errors"]).pow(2) * (area / region["area"] - 1).clamp(0, 1)
    return off[:, :rows * columns].mean() + off[:, rows * columns:].mean()


def judged(critic, b, edited, w=MATCHED):
    x, aus = b["images"], b["aus"]
    score, patches, read = critic(x, aus)
    of_edited, patches_edited, _ = critic(edited, b["targets"])
    others = aus.roll(-1, 0)  # each face with the action units of the next one
    differs = ((others - aus).pow(2).sum(1) / 0.5).clamp(max=1)
    mismatched = (F.softplus(critic(x, others)[0]) * differs).mean()
    of_patches = F.softplus(-patches).mean() + F.softplus(patches_edited).mean()
    terms = dict(realness=of_edited.mean() - score.mean(), aus=(read - aus).pow(2).mean(), penalty=penalty(critic, x, aus))
    terms["total_without_r1"] = (F.softplus(-score).mean() + F.softplus(of_edited).mean() + w["mismatched"] * mismatched
                                 + w["patches"] * of_patches + w["aus"] * terms["aus"])
    return terms["total_without_r1"] + w["r1"] * w["r1_every"] * terms["penalty"], terms


def pleased(generator, critic, b, w=MATCHED):
    """The generator's loss with the cycle and the pairs."""
    x, aus, targets = b["images"], b["aus"], b["targets"]
    edit = generator(x, targets - aus)
    # The discriminator does not teach the hues of paint.
    brightness = edit["color"].mean(1, keepdim=True)
    color = edit["color"].detach() + brightness - brightness.detach()
    score, patches, _ = critic(composed(x, edit["attention"], color, edit["motion"], edit["shading"]), targets)
    # Only shading gets gradients from the estimated action units.
    still = [edit[name].detach() for name in ("attention", "color", "motion")]
    read = critic(composed(x, *still, edit["shading"]), targets)[2]
    shown = critic(x, aus)[2].detach()
    counts = torch.where(targets < aus, w["aus_falling"], 1.0)
    of_aus = counts * ((read - shown - (targets - aus)).pow(2) + (read - targets).pow(2))
    free = full(torch.maximum(b["mask"], b["seam"]))
    price = 1 - (1 - w["paint_inside"]) * free
    opened, covered = ((edit["color"], x, full(b[name])) for name in ("mask", "seam"))
    nothing = ((targets - aus).abs().sum(1) < 1e-3).double()
    back = generator(edit["image"].detach(), aus - targets)
    # In the cycle, painting is allowed where the teacher allows it, and errors there have a higher weight.
    cycle = (difference(back["image"], x) * (1 + w["cycle_inside"] * free)).mean()
    cycle = cycle + w["paint"] / w["cycle"] * ((1 - back["attention"]) * price).mean()
    again = generator(led(b), b["pairs/aus"] - b["pairs/led_aus"])
    found, real = (critic.at_mouth(images) for images in (again["image"], b["pairs/images"]))
    features = sum((f - r).abs().mean() for f, r in zip(found, real)) / len(found)
    terms = dict(
        score=F.softplus(-score).mean(), patches=F.softplus(-patches).mean(),
        aus=0.5 * of_aus.mean(),
        motion=moved_error(edit["motion"], b["field"]).mean(),
        paint=((1 - edit["attention"]) * price).mean(),
        mask=cross_entropy(edit["attention"], torch.maximum(b["mask"], b["seam"]), w),
        hues=(hue_error(at_mouths(*opened), REGIONS["mouths"])
              + hue_error(at_mouths(*covered), REGIONS["lips"]) + hue_error(at_lids(*covered), REGIONS["lids"])),
        mouths=brightness_error(at_mouths(*opened), REGIONS["mouths"], targets),
        lips=brightness_error(at_mouths(*covered), REGIONS["lips"], targets),
        lids=brightness_error(at_lids(*covered), REGIONS["lids"]),
        mask_tv=variation(edit["attention"]), shading=edit["shading"].abs().mean(),
        stains=F.avg_pool2d(edit["shading"], edit["shading"].shape[2] // 8).abs().mean(),
        shading_tv=variation(edit["shading"]),
        identity=((edit["image"] - x).abs().mean((1, 2, 3)) * nothing).mean(), cycle=cycle,
        pixels=(difference(again["image"], b["pairs/images"]) * (1 + w["pixels_inside"] * full(b["pairs/mask"]))).mean(),
        features=features)
    factors = {**w, "score": w["adversarial"], "cycle": w["cycle"] * w["cycle_every"], "pixels": 2 * w["pixels"],
               "features": 2 * w["features"]}
    return sum(factors[name] * term for name, term in terms.items()), terms


def gradients(network, loss):
    """Of every parameter that the loss reaches."""
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=True)
    return {n: g for (n, _), g in zip(network.named_parameters(), found) if g is not None and g.any()}


def lessons(count, draw, prefix=""):
    """Random numbers in place of a teacher's output."""
    field = 0.05 * (2 * draw(count, 2, SIZE // 4, SIZE // 4) - 1)
    return {f"{prefix}field": field, f"{prefix}mask": blobs(count, draw), f"{prefix}seam": blobs(count, draw)}


def blobs(count, draw):
    return (draw(count, 1, SIZE // 2, SIZE // 2) - 0.7).clamp(min=0) / 0.3


def batch(draw):
    """Two faces, the second of which is asked for next to nothing, and two pairs."""
    torch.manual_seed(3)
    pixels = torch.randint(8, 248, (2, FACES, 3, SIZE, SIZE), dtype=torch.uint8)
    aus, targets = 0.5 * draw(FACES, AUS), draw(FACES, AUS)
    targets[1] = aus[1]
    aus[1, 0], targets[1, 0] = 0.0625, 0.0625 + 2**-11  # in half precision too
    b = {"aus": aus, "targets": targets, **lessons(FACES, draw)}
    pairs = {"pairs/aus": draw(FACES, AUS), "pairs/led_aus": 0.5 * draw(FACES, AUS)}
    lead = {"pairs/lead": 0.05 * (2 * draw(FACES, 2, SIZE // 4, SIZE // 4) - 1),
            "pairs/lead_seam": blobs(FACES, draw)}
    b |= pairs | lead | lessons(FACES, draw, "pairs/")
    # Half precision keeps the file small. The rounded values are used in the computations. Bytes are represented exactly.
    b = {name: tensor.half() for name, tensor in b.items()}
    stored = {"pixels": pixels[0].half(), "pairs/pixels": pixels[1].half(), **b}
    images = pixels.double() / 127.5 - 1
    return stored, {**{n: t.double() for n, t in b.items()}, "images": images[0], "pairs/images": images[1]}


def main():
    torch.manual_seed(7)
    kept, draw = {}, torch.rand
    # Not black, not white: at the bounds of a clamp any slope up to 1 is a gradient.
    pixels = torch.randint(8, 248, (FACES, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    orders = 2 * draw(FACES, AUS) - 1
    orders[1] *= 0.06 / orders[1].abs().sum()  # of which less is done
    # The scalar whose gradients are kept weighs image and motion with noise.
    weighed = dict(image=torch.randn(FACES, 3, HEIGHT, WIDTH), motion=torch.randn(FACES, 2, HEIGHT // 4, WIDTH // 4))
    kept |= {"pixels": pixels.half(), "orders": orders, **{f"noise/{n}": t for n, t in weighed.items()}}
    for edge in (3, 7):
        generator = drawn(Generator(edge), edge)
        x = (pixels.double() / 127.5 - 1).requires_grad_()
        edit = generator(x, orders)
        loss = sum((edit[name] * noise).mean() for name, noise in weighed.items())
        of_input, = torch.autograd.grad(loss, x, retain_graph=True)
        kept |= {f"generator_{edge}/{n}": v for n, v in generator.state_dict().items()}
        kept |= {f"edit_{edge}/{n}": v for n, v in edit.items()}
        kept |= {f"gradient_{edge}/{n}": g for n, g in gradients(generator, loss).items()}
        kept |= {f"gradient_{edge}/input": of_input, f"loss_{edge}": loss[None]}

    stored, b = batch(draw)
    generator, critic = drawn(Generator(3), 3), drawn(Discriminator(), 2)
    score, patches, read = critic(b["images"], b["aus"])
    of_penalty = penalty(critic, b["images"], b["aus"])
    kept |= {f"batch/{n}": t for n, t in stored.items()}
    kept |= {f"discriminator/{n}": v for n, v in critic.state_dict().items()}
    kept |= {"verdict/score": score, "verdict/patches": patches, "verdict/aus": read, "penalty": of_penalty[None]}
    kept |= {f"penalty_gradient/{n}": g for n, g in gradients(critic, of_penalty).items()}

    def keep(name, network, total, terms):
        nonlocal kept
        kept |= {f"{name}/{n}": t[None] for n, t in {**terms, "total": total}.items()}
        kept |= {f"{name}_gradient/{n}": g for n, g in gradients(network, total).items()}
        print(name, {n: round(t.item(), 5) for n, t in {**terms, "total": total}.items()})

    keep("taught", generator, *taught(generator, b))
    edited = generator(b["images"], b["targets"] - b["aus"])["image"].detach()
    keep("judged", critic, *judged(critic, b, edited))
    keep("pleased", generator, *pleased(generator, critic, b))
    kept = {n: t.detach().contiguous() for n, t in kept.items()}
    save_file(kept, FOLDER / "motion.safetensors")
    print(len(kept), "tensors,", sum(t.numel() * t.element_size() for t in kept.values()), "bytes")


main()
