"""A photo in, an edited PNG out, in PyTorch: the same as `ganimation edit`, but with a given face position.

    python3 photo.py me.jpg smiling.png --weights generator.safetensors --box 173 103 184 --au 12=3
"""

import argparse

import numpy
import torch
from PIL import Image

from networks import AUS, load_generator

ORDER = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("photo")
    parser.add_argument("output")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--box", type=int, nargs=3, required=True, metavar=("X", "Y", "SIZE"))
    parser.add_argument("--au", action="append", default=[])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--variant", default="contiguous")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    to = {"device": options.device}
    if options.variant == "channels_last":
        to["memory_format"] = torch.channels_last
    network, size = load_generator(options.weights)
    network = network.eval().to(**to)
    aus = torch.zeros(1, AUS)
    for entry in options.au:
        unit, intensity = entry.split("=")
        aus[0, ORDER.index(int(unit))] = float(intensity) / 5

    photo = numpy.asarray(Image.open(options.photo).convert("RGB"))
    x, y, side = options.box
    cut = photo[reflected(y, side, photo.shape[0])][:, reflected(x, side, photo.shape[1])]
    face = tensor(numpy.asarray(Image.fromarray(cut).resize((size, size), Image.Resampling.LANCZOS))).to(**to)
    with torch.inference_mode():
        _, attention, color = network(face, aus.to(options.device))
        shown = (1 - enlarged(attention, side)).clamp(0, 1) * window(side, options.device)
        blended = (1 - shown) * tensor(cut).to(options.device) + shown * enlarged(color, side)
        pixels = ((blended + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    paste(photo := photo.copy(), pixels[0].permute(1, 2, 0).cpu().numpy(), x, y)
    Image.fromarray(photo).save(options.output)


def reflected(start, length, limit):
    """`length` coordinates from `start`, folded back at the borders without repeating the edge."""
    at = numpy.arange(start, start + length) % (2 * limit - 2)
    return numpy.minimum(at, 2 * limit - 2 - at)


def tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def enlarged(x, side):
    return torch.nn.functional.interpolate(x, (side, side), mode="bicubic", align_corners=False)


def window(side, device):
    """1 inside, falling smoothly to 0 on the box's border."""
    at = torch.arange(side, device=device)
    share = (torch.minimum(at, side - 1 - at) / max(side * 0.1, 1)).clamp(max=1)
    slope = share * share * (3 - 2 * share)
    return slope[:, None] * slope


def paste(photo, painted, x, y):
    height, width, _ = photo.shape
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + len(painted), height), min(x + len(painted), width)
    photo[top:bottom, left:right] = painted[top - y : bottom - y, left - x : right - x]


if __name__ == "__main__":
    main()
