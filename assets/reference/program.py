#!/usr/bin/env python3
"""Compares the program with PyTorch, file by file, and prints the tables of README.md.

Networks of the paper's size with drawn weights are saved in every layout and container that PyTorch's users have, taken
in with `ganimation import`, and edit a portrait with `ganimation edit`; PyTorch computes the same picture. Then weights
go the other way, from `ganimation export` to `load_state_dict`. Exits with 1 if a picture is off by more than 1 of 255
or a weight by one bit.

Needs torch, numpy, pillow and safetensors. Usage: python3 program.py [PROGRAM]; the default is target/release/ganimation.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "crates/ganimation-model/tests/data"))
sys.dont_write_bytecode = True
from make import (AUS, RELEASED, REPLICATE, Critic, Generator, drawn, legacy, picture, torch_03, vipermu_of,  # noqa: E402
                  with_statistics)

PROGRAM = Path(sys.argv[1] if sys.argv[1:] else ROOT / "target/release/ganimation").resolve()
FACE = ROOT / "assets/sample_dataset/imgs/collins_0.jpg"
SIZE = dict(c=64, blocks=6)
ASKED = {1: 2.5, 6: 2, 12: 3, 25: 1}
UNITS = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45]
FLOATS = dict(f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16)


def ganimation(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}\n{done.stderr}")


def edited(face, weights, out):
    units = [f"--au={unit}={value}" for unit, value in ASKED.items()]
    ganimation("edit", face, "--crop", "none", "--absolute", "--weights", weights, *units, "-o", out, "--device", "flex")
    return np.array(Image.open(out).convert("RGB")).astype(int)


def by_pytorch(network, face):
    pixels = torch.from_numpy(np.array(Image.open(face))).permute(2, 0, 1)[None].float() / 127.5 - 1
    aus = torch.tensor([[ASKED.get(unit, 0) / 5 for unit in UNITS]])
    with torch.no_grad():
        return np.array(picture(network(pixels, aus))).astype(int)


def widened(network, state):
    """The network with weights that were stored in `state`'s precision."""
    other = Generator(network.names, **SIZE) if network.names == RELEASED else \
        Generator(network.names, affine=False, bias=True, **SIZE)
    other.load_state_dict({name: values.float() for name, values in state.items()}, strict=True)
    return other.eval()


def check(good, row):
    print(f"| {' | '.join(map(str, row))} |", flush=True)
    check.failed |= not good


check.failed = False


def pictures(folder, released, plain, face):
    print("| layout | container | numbers | pixels that differ | largest difference of 255 |\n|---|---|---|---|---|")
    for kind in ["f32", "f16"]:
        cast = lambda state: {n: v.to(FLOATS[kind]) if v.is_floating_point() else v for n, v in state.items()}
        authors, replicate = cast(released.state_dict()), cast(plain.state_dict())
        expected = by_pytorch(widened(released, authors), face)
        expected_plain = by_pytorch(widened(plain, replicate), face)
        zipped = lambda path, data: torch.save(data, path)
        layouts = {
            "the authors'": (authors, expected),
            "the authors', `module.`": ({f"module.{n}": v for n, v in authors.items()}, expected),
            "ganimation_replicate's": (replicate, expected_plain),
            "vipermu's": (cast(vipermu_of(released.state_dict(), **SIZE)), expected),
        }
        files = [(layout, container, save, state, picture)
                 for layout, (state, picture) in layouts.items()
                 for container, save in [("zip", zipped), ("legacy", legacy)]]
        checkpoint = dict(epoch=3, args=dict(lr=1e-4), state_dict=authors, losses=[0.5, 0.25])
        files += [("the authors', in a checkpoint", "zip", zipped, checkpoint, expected),
                  ("the authors', in a checkpoint", "legacy", legacy, checkpoint, expected),
                  ("the authors', with statistics", "PyTorch 0.3", torch_03, with_statistics(authors), expected)]
        for layout, container, save, state, picture_of in files:
            save(folder / "net.pth", state)
            ganimation("import", folder / "net.pth", "-o", folder / "net.safetensors")
            off = abs(edited(face, folder / "net.safetensors", folder / "out.png") - picture_of)
            check(off.max() <= 1, [layout, container, kind, f"{100 * (off > 0).mean():.2f} %", off.max()])
        save_file({n: v.contiguous() for n, v in authors.items()}, folder / "plain.safetensors")
        off = abs(edited(face, folder / "plain.safetensors", folder / "out.png") - expected)
        check(off.max() <= 1, ["the authors', straight to `--weights`", "safetensors without metadata", kind,
                               f"{100 * (off > 0).mean():.2f} %", off.max()])


def round_trips(folder, released, critic):
    print("\n| from PyTorch through | back to PyTorch | tensors | of them equal bit for bit |\n|---|---|---|---|")

    def back(how, path, network, kind):
        found = load_file(path)
        wanted = {n: v.to(FLOATS[kind]) for n, v in network.state_dict().items()}
        equal = sum(torch.equal(found[n], v) and found[n].dtype == v.dtype for n, v in wanted.items())
        network.to(FLOATS[kind]).load_state_dict(found, strict=True)
        network.load_state_dict(wanted)
        check(equal == len(wanted), [how, f"`load_state_dict(strict=True)`, {kind}", len(wanted), equal])

    torch.save(released.state_dict(), folder / "G.pth")
    torch.save(critic.state_dict(), folder / "D.pth")
    ganimation("import", folder / "G.pth", folder / "D.pth", "-o", folder / "net.safetensors")
    back("`import`", folder / "net.safetensors", released, "f32")
    back("`import`, the critic", folder / "net-discriminator.safetensors", critic, "f32")
    save_file(released.state_dict(), folder / "plain.safetensors")
    for start, name in [("net", "`import`, `export`"), ("plain", "safetensors without metadata, `export`")]:
        for kind in FLOATS:
            ganimation("export", folder / f"{start}.safetensors", "--float", kind, "-o", folder / "out.safetensors")
            fresh = Generator(RELEASED, **SIZE)
            fresh.load_state_dict(released.state_dict())
            back(name, folder / "out.safetensors", fresh, kind)


def main():
    torch.manual_seed(11)
    released = drawn(Generator(RELEASED, **SIZE))
    plain = drawn(Generator(REPLICATE, affine=False, bias=True, **SIZE))
    critic = drawn(Critic(("main", "conv1", "conv2"), c=64, image_size=128))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        face = folder / "face.png"
        Image.open(FACE).save(face)
        pictures(folder, released, plain, face)
        round_trips(folder, released, critic)
    return int(check.failed)


sys.exit(main())
