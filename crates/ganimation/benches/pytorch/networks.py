"""The two networks in PyTorch, parameter for parameter those of `ganimation-model`, written from their published shape.

Parameter names are the published ones, so that a weights file of this project loads as it is.
"""

import json

import torch
from torch import nn

AUS = 17


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x):
        return x + self.main(x)


class Generator(nn.Module):
    """Faces `[batch, 3, height, width]` in [-1, 1] and action units `[batch, 17]` to an edit."""

    def __init__(self, channels=64, blocks=6):
        super().__init__()
        c = channels
        layers = [nn.Conv2d(3 + AUS, c, 7, padding=3, bias=False)]
        layers += [nn.InstanceNorm2d(c, affine=True), nn.ReLU(inplace=True)]
        for width in (c, 2 * c):
            layers.append(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False))
            layers += [nn.InstanceNorm2d(2 * width, affine=True), nn.ReLU(inplace=True)]
        layers += [Residual(4 * c) for _ in range(blocks)]
        for width in (4 * c, 2 * c):
            layers.append(nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=False))
            layers += [nn.InstanceNorm2d(width // 2, affine=True), nn.ReLU(inplace=True)]
        self.main = nn.Sequential(*layers)
        self.img_reg = nn.Sequential(nn.Conv2d(c, 3, 7, padding=3, bias=False), nn.Tanh())
        self.attetion_reg = nn.Sequential(nn.Conv2d(c, 1, 7, padding=3, bias=False), nn.Sigmoid())

    def forward(self, faces, aus):
        """The edited faces, their attention (1 keeps the input) and their colours."""
        batch, _, height, width = faces.shape
        planes = aus[:, :, None, None].expand(batch, AUS, height, width)
        features = self.main(torch.cat([faces, planes], dim=1))
        color, attention = self.img_reg(features), self.attetion_reg(features)
        return attention * faces + (1 - attention) * color, attention, color


class Critic(nn.Module):
    """Faces to realness `[batch, 1, height / 64, width / 64]` and action units `[batch, 17]`."""

    def __init__(self, size=128, channels=64):
        super().__init__()
        layers, width = [], 3
        for layer in range(6):
            layers.append(nn.Conv2d(width, channels << layer, 4, stride=2, padding=1))
            layers.append(nn.LeakyReLU(0.01, inplace=True))
            width = channels << layer
        self.main = nn.Sequential(*layers)
        self.conv1 = nn.Conv2d(width, 1, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, AUS, size // 64, bias=False)

    def forward(self, faces):
        features = self.main(faces)
        return self.conv1(features), self.conv2(features).flatten(1)


def initialise(network):
    """Convolutions from N(0, 0.02), biases 0; norms start at scale 1 and shift 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def load_generator(path):
    """The generator of a weights file (safetensors: a length, a JSON header, the numbers), and its image size."""
    kinds = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    with open(path, "rb") as file:
        data = bytearray(file.read())
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    said = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=kinds[entry["dtype"]], count=_length(entry["shape"]), offset=start + begin)
        assert flat.nbytes == end - begin, name
        tensors[name] = flat.view(entry["shape"]).float()
    generator = Generator(int(said["channels"]), int(said["blocks"]))
    generator.load_state_dict(tensors)
    return generator, int(said["image_size"])


def _length(shape):
    length = 1
    for side in shape:
        length *= side
    return length
