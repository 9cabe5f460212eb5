"""The motion network in PyTorch and one step of its second stage, as `ganimation train --network motion` takes it.

`Generator(7)` is the pilot's network: edge kernels of 7 and transposed convolutions.
"""

import copy
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import nn

from networks import AUS

SIZE, SLOPE = 128, 0.05
MAX_MOTION, MAX_SHADING = 0.12, 0.2
# Top, bottom, left, right in eighths of the side.
MOUTH, EYES = (4, 8, 1, 7), (1, 4, 0, 8)


class Norm(nn.Module):
    """An instance norm whose scale and shift follow the orders."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, affine=True)
        self.orders = nn.Linear(AUS, 2 * channels, bias=False)

    def forward(self, x, orders):
        scale, shift = self.orders(2 * orders)[:, :, None, None].chunk(2, 1)
        return self.norm(x) * (1 + scale) + shift


class Block(nn.Module):
    """A convolution, a norm and a ReLU."""

    def __init__(self, conv, channels):
        super().__init__()
        self.conv, self.norm = conv, Norm(channels)

    def forward(self, x, orders):
        return F.relu(self.norm(self.conv(x), orders))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        conv = lambda: nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first, self.second, self.norm = Block(conv(), channels), conv(), Norm(channels)

    def forward(self, x, orders):
        return x + self.norm(self.second(self.first(x, orders)), orders)


class Enlarging(nn.Conv2d):
    """Repeated pixels and a 3x3 convolution."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, x):
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class Generator(nn.Module):
    """Faces and relative orders to the edited faces, attention, colours, motion and shading."""

    def __init__(self, edge=3, c=24, blocks=6):
        super().__init__()
        conv = lambda i, o, k, s, p: Block(nn.Conv2d(i, o, k, s, p, bias=False), o)
        twice = nn.ConvTranspose2d if edge == 7 else None
        up = lambda i, o: Block(twice(i, o, 4, 2, 1, bias=False) if twice else Enlarging(i, o), o)
        layers = [conv(12, c, edge, 1, edge // 2), conv(c, 2 * c, 4, 2, 1), conv(2 * c, 4 * c, 4, 2, 1)]
        layers += [Residual(4 * c) for _ in range(blocks)]
        self.main = nn.ModuleList([*layers, up(4 * c, 2 * c), up(2 * c, c)])
        # Colours, attention, motion and shading.
        self.heads = nn.Conv2d(c, 12 + 4 + 2 + 1, edge, padding=edge // 2)
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("mixed", torch.outer(line, line).expand(4, 1, 3, 3) if edge == 3 else None)

    def forward(self, x, orders):
        h = F.pixel_unshuffle(x, 2)
        for layer in self.main:
            h = layer(h, orders)
        painted, motion, shading = self.heads(h).float().split([16, 2, 1], 1)
        painted = F.pixel_shuffle(painted, 2)
        if self.mixed is not None:
            painted = F.conv2d(F.pad(painted, (1, 1, 1, 1), mode="replicate"), self.mixed, groups=4)
        whole = (orders.abs().sum(1) / 0.1).clamp(max=1)[:, None, None, None]
        color, attention = torch.tanh(painted[:, :3]), 1 - whole * torch.sigmoid(-painted[:, 3:])
        motion = whole * MAX_MOTION * torch.tanh(F.avg_pool2d(motion, 2))
        shading = whole * MAX_SHADING * torch.tanh(F.avg_pool2d(shading, 2))
        return composed(x, attention, color, motion, shading), attention, color, motion, shading


def composed(x, attention, color, motion, shading):
    """The edit equation."""
    kept = ((warp(x, enlarged(motion)) + 1) * (1 + enlarged(shading)) - 1).clamp(-1, 1)
    return attention * kept + (1 - attention) * color


def enlarged(x):
    return F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)


def warp(x, field):
    """Reads every pixel from where `field` points, in shares of the side."""
    line = (torch.arange(SIZE, device=x.device) + 0.5) / SIZE * 2 - 1
    place = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    return F.grid_sample(x, place + 2 * field.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def strided(sizes):
    layers = [[nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(SLOPE)] for i, o in zip(sizes, sizes[1:])]
    return nn.Sequential(*sum(layers, []))


class Part(nn.Module):
    """Looks at the mouth or at the eyes."""

    def __init__(self, c=32):
        super().__init__()
        self.main = strided([3, c, 2 * c, 4 * c])
        self.realness, self.matching = nn.Conv2d(4 * c, 1, 3, padding=1), nn.Conv2d(4 * c, AUS, 1)

    def forward(self, x):
        top = self.main(x)
        return self.realness(top).flatten(1), self.matching(top.mean((2, 3), keepdim=True)).flatten(1)


class Discriminator(nn.Module):
    """Faces and action units to a score, patches' realness and the action units read."""

    def __init__(self, c=48):
        super().__init__()
        self.whole = strided([3, c, 2 * c, 4 * c, 8 * c, min(16 * c, 512)])
        head = lambda outputs: nn.Conv2d(min(16 * c, 512), outputs, 2)
        self.realness, self.matching, self.aus = head(1), head(AUS), head(AUS)
        self.mouth, self.eyes = Part(), Part()

    def features(self, x):
        at = lambda part: [edge * SIZE // 8 for edge in part]
        cut = lambda part: x[:, :, slice(*at(part)[:2]), slice(*at(part)[2:])]
        top = self.whole(F.avg_pool2d(x, 2))
        (mouth, of_mouth), (eyes, of_eyes) = self.mouth(cut(MOUTH)), self.eyes(cut(EYES))
        matching = self.matching(top).flatten(1) + of_mouth + of_eyes
        found = self.realness(top).flatten(), matching, torch.cat([mouth, eyes], 1), self.aus(top).flatten(1)
        return [part.float() for part in found]

    def read(self, x):
        """The action units alone."""
        return self.aus(self.whole(F.avg_pool2d(x, 2))).flatten(1).float()


def score(features, aus):
    return features[0] + (features[1] * 4 * aus).sum(1)


def view(x):
    """Another brightness, saturation and contrast."""
    draw = lambda width: (torch.rand(len(x), 1, 1, 1, device=x.device) * 2 - 1) * width
    x = x + draw(0.2)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (1 + draw(0.7))
    level = x.mean((1, 2, 3), keepdim=True)
    return level + (x - level) * (1 + draw(0.2))


def variation(x):
    return (x[:, :, 1:] - x[:, :, :-1]).abs().mean() + (x[..., 1:] - x[..., :-1]).abs().mean()


class Motion:
    """Both networks with their optimisers, and a batch of random faces with random lessons."""

    def __init__(self, batch, device, memory_format, bf16=False, compiled=False, edge=3):
        to = {"device": device, "memory_format": memory_format}
        self.generator, self.discriminator = Generator(edge).to(**to), Discriminator().to(**to)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        # The gradient of a gradient does not compile; the generator does.
        self.edit = torch.compile(self.generator) if compiled else self.generator
        adam = lambda network, rate: torch.optim.Adam(network.parameters(), rate, (0.0, 0.99), fused=True)
        self.generator_adam, self.discriminator_adam = adam(self.generator, 2e-4), adam(self.discriminator, 3e-4)
        random = lambda *shape: torch.rand(*shape, device=device)
        picture = lambda count: (random(count, 3, SIZE, SIZE) * 2 - 1).to(**to)
        field = lambda count: (random(count, 2, SIZE // 4, SIZE // 4) - 0.5) * 0.1
        self.faces, self.pairs = picture(batch), picture(batch // 2)
        self.aus, self.targets = random(2, batch, AUS)
        self.field, self.free = field(batch), enlarged(random(batch, 1, SIZE // 2, SIZE // 2))
        self.lead, self.uncovered = enlarged(field(batch // 2)), enlarged(random(batch // 2, 1, SIZE // 2, SIZE // 2))
        self.back = random(batch // 2, AUS) - random(batch // 2, AUS)
        self.precision = (lambda: torch.autocast(device.type, torch.bfloat16)) if bf16 else nullcontext

    def step(self, number):
        """One step of both networks: R1 at every eighth, pairs at even ones, faces there and back at odd ones."""
        orders = self.targets - self.aus
        with self.precision():
            edited, attention, color, motion, shading = self.edit(self.faces, orders)
        self.discriminator_step(edited.detach(), number)

        self.discriminator.requires_grad_(False)
        with self.precision():
            of_edited = self.discriminator.features(view(edited))
            # Only motion and shading get gradients from the estimated action units.
            moved = composed(self.faces, attention.detach(), color.detach(), motion, shading)
            read = self.discriminator.read(view(moved))
            with torch.no_grad():
                shown = self.discriminator.read(view(self.faces))
        change = (read - shown - orders).square().mean()
        loss = 0.5 * F.softplus(-score(of_edited, self.targets)).mean() + 0.7 * F.softplus(-of_edited[2]).mean()
        loss = loss + 10 * (change + (read - self.targets).square().mean())
        price = 1 - 0.9 * self.free
        loss = loss + 160 * (motion - self.field).abs().mean() + 40 * ((1 - attention) * price).mean()
        loss = loss + variation(attention) + 6 * shading.abs().mean() + 2 * variation(shading)
        nothing = (orders.abs().sum(1) < 1e-3).float()[:, None, None, None]
        loss = loss + 10 * ((edited - self.faces).abs() * nothing).mean()
        if number % 2 == 1:
            with self.precision():
                back, attention, *_ = self.edit(edited.detach(), -orders)
            cycle = ((back - self.faces).abs() * (1 + 8 * self.free)).mean() + 4 * ((1 - attention) * price).mean()
            loss = loss + 20 * cycle
        else:
            with self.precision():
                again = self.edit(warp(self.pairs, self.lead), self.back)[0]
            loss = loss + 12 * ((again - self.pairs).abs() * (1 + 4 * self.uncovered)).mean()
        self.generator_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_adam.step()
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1e-3)

    def discriminator_step(self, edited, number):
        """Logistic loss of real, edited and mismatched faces, and R1."""
        real = view(self.faces).requires_grad_(number % 8 == 0)
        with self.precision():
            of_real, of_edited = self.discriminator.features(real), self.discriminator.features(view(edited))
        others = self.aus.roll(-1, 0)
        differs = ((others - self.aus).square().sum(1) / 0.5).clamp(max=1)
        of_score = score(of_real, self.aus)
        loss = F.softplus(-of_score).mean() + F.softplus(score(of_edited, self.targets)).mean()
        loss = loss + 0.5 * (F.softplus(score(of_real, others)) * differs).mean()
        loss = loss + 0.7 * (F.softplus(-of_real[2]).mean() + F.softplus(of_edited[2]).mean())
        loss = loss + 20 * (of_real[3] - self.aus).square().mean()
        if number % 8 == 0:
            pleasing = of_score.sum() + of_real[2].mean(1).sum()
            (gradient,) = torch.autograd.grad(pleasing, real, create_graph=True)
            loss = loss + 0.05 * 8 * gradient.float().square().sum((1, 2, 3)).mean()
        self.discriminator_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_adam.step()
