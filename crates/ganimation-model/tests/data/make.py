#!/usr/bin/env python3
"""Makes the PyTorch files beside it: tiny networks in every layout and container that is read, and what they compute.

Needs torch, numpy, pillow and safetensors. Usage: python3 make.py, or python3 make.py FOLDER for networks of the paper's
size. A test compares them if it gets the folder.
"""
import io
import pickle
import pickletools
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
AUS, SIZE = 17, 128


class Residual(nn.Module):
    def __init__(self, c, affine, bias, name):
        super().__init__()
        norm = lambda: nn.InstanceNorm2d(c, affine=affine)
        conv = lambda: nn.Conv2d(c, c, 3, 1, 1, bias=bias)
        self.name = name
        setattr(self, name, nn.Sequential(conv(), norm(), nn.ReLU(), conv(), norm()))

    def forward(self, x):
        return x + getattr(self, self.name)(x)


class Generator(nn.Module):
    """`names`: trunk, residual trunk, colour head, attention head."""

    def __init__(self, names, affine=True, bias=False, c=1, blocks=1):
        super().__init__()
        norm = lambda o: [nn.InstanceNorm2d(o, affine=affine), nn.ReLU()]
        conv = lambda i, o, k, s, p: [nn.Conv2d(i, o, k, s, p, bias=bias), *norm(o)]
        up = lambda i, o: [nn.ConvTranspose2d(i, o, 4, 2, 1, bias=bias), *norm(o)]
        head = lambda o, last: nn.Sequential(nn.Conv2d(c, o, 7, 1, 3, bias=False), last)
        self.names = names
        trunk, inner, color, attention = names
        setattr(self, trunk, nn.Sequential(
            *conv(3 + AUS, c, 7, 1, 3), *conv(c, 2 * c, 4, 2, 1), *conv(2 * c, 4 * c, 4, 2, 1),
            *[Residual(4 * c, affine, bias, inner) for _ in range(blocks)], *up(4 * c, 2 * c), *up(2 * c, c)))
        setattr(self, color, head(3, nn.Tanh()))
        setattr(self, attention, head(1, nn.Sigmoid()))

    def forward(self, x, aus):
        trunk, _, color, attention = (getattr(self, n, None) for n in self.names)
        features = trunk(torch.cat([x, aus[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))
        mask = attention(features)
        return mask * x + (1 - mask) * color(features)


class Critic(nn.Module):
    """`names`: trunk, realness head, action-unit head."""

    def __init__(self, names, c=1, image_size=64):
        super().__init__()
        sizes = [3] + [c << i for i in range(6)]
        layers = [[nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(0.01)] for i, o in zip(sizes, sizes[1:])]
        self.names = names
        setattr(self, names[0], nn.Sequential(*sum(layers, [])))
        setattr(self, names[1], nn.Conv2d(sizes[-1], 1, 3, 1, 1, bias=False))
        setattr(self, names[2], nn.Conv2d(sizes[-1], AUS, image_size // 64, bias=False))

    def forward(self, x):
        trunk, realness, aus = (getattr(self, n) for n in self.names)
        features = trunk(x)
        return realness(features), aus(features).mean((2, 3))


RELEASED = ("main", "main", "img_reg", "attetion_reg")
REPLICATE = ("model", "conv_block", "color_top", "au_top")
VIPERMU = ("main", "main", "im_reg", "im_att")


def drawn(network):
    with torch.no_grad():
        for name, p in network.named_parameters():
            if p.dim() == 4:
                p.copy_(torch.randn_like(p) * (2 / p[0].numel()) ** 0.5)
            else:
                p.copy_(name.endswith("weight") + 0.3 * torch.randn_like(p))
    return network.eval()


def legacy(path, data):
    torch.save(data, path, _use_new_zipfile_serialization=False)


def with_statistics(state):
    """InstanceNorm had statistics in PyTorch 0.3, whether it used them or not."""
    state = dict(state)
    for n, v in list(state.items()):
        if n.endswith(".bias"):
            state |= {n[:-4] + "running_mean": torch.zeros_like(v), n[:-4] + "running_var": torch.ones_like(v)}
    return state


def vipermu_of(state, **size):
    """The same network as vipermu's code names it, with statistics and the layers' second names."""
    network = Generator(VIPERMU, **size)
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.__init__(module.num_features, affine=True, track_running_stats=True)
    renamed = {n.replace("img_reg", "im_reg").replace("attetion_reg", "im_att"): v for n, v in state.items()}
    network.load_state_dict({**network.state_dict(), **renamed})
    main = network.main
    network.debug1, network.debug2, network.debug3, network.debug4 = main[:3], main[3:6], main[9], main[10:]
    return network.state_dict()


def torch_03(path, tensors):
    """A stream of PyTorch 0.3 under Python 2: `_rebuild_tensor`, text as byte strings, old storages' fields."""

    class Call:
        def __init__(self, tensor):
            self.tensor = tensor

        def __reduce__(self):
            t = self.tensor
            return torch._utils._rebuild_tensor, (Stored(t), 0, tuple(t.shape), tuple(t.stride()))

    class Stored:
        def __init__(self, tensor):
            self.tensor = tensor

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Stored):
                t = value.tensor
                kind = torch.HalfStorage if t.dtype == torch.half else torch.FloatStorage
                return ("storage", kind, str(t.data_ptr()), "cuda:0", t.numel(), None)

    def old_text(data):
        """Python 2 wrote `str` where Python 3 writes text."""
        ops, out = list(pickletools.genops(data)), b""
        for (op, arg, at), end in zip(ops, [at for _, _, at in ops[1:]] + [len(data)]):
            if op.name == "BINUNICODE":
                text = arg.encode()
                out += b"U" + bytes([len(text)]) + text
            else:
                out += data[at:end]
        return out

    def dumped(value):
        stream = io.BytesIO()
        Pickler(stream, protocol=2).dump(value)
        return old_text(stream.getvalue())

    from collections import OrderedDict
    state = OrderedDict((n, Call(t.contiguous())) for n, t in tensors.items())
    keys = sorted(str(c.tensor.data_ptr()) for c in state.values())
    by_key = {str(c.tensor.data_ptr()): c.tensor for c in state.values()}
    with open(path, "wb") as file:
        file.write(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2))
        file.write(dumped(dict(protocol_version=1001, little_endian=True, type_sizes=dict(short=2, int=4, long=8))))
        file.write(dumped(state) + dumped(keys))
        for key in keys:
            file.write(struct.pack("<q", by_key[key].numel()) + by_key[key].numpy().tobytes())
    loaded = torch.load(path, map_location="cpu", weights_only=False, encoding="latin1")
    assert all(torch.equal(loaded[n], t) for n, t in tensors.items())


def picture(image):
    pixels = ((image[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255)
    return Image.fromarray(pixels.numpy().astype(np.uint8))


def main():
    torch.manual_seed(7)
    state = lambda network: network.state_dict()
    released, plain = drawn(Generator(RELEASED)), drawn(Generator(REPLICATE, affine=False, bias=True))
    torch.save(state(released), HERE / "released.pth")
    legacy(HERE / "released_legacy_module.pth", {f"module.{n}": v for n, v in state(released).items()})
    torch_03(HERE / "released_03.pth", with_statistics(state(released)))
    half = {n: v.half() for n, v in state(released).items()}
    torch.save(half, HERE / "released_f16.pth")

    # The replicate's norms have no parameters, its convolutions have biases.
    torch.save(state(plain), HERE / "replicate.pth")
    legacy(HERE / "replicate_legacy.pth", state(plain))

    vipermu = vipermu_of(state(released))
    torch.save(vipermu, HERE / "vipermu.pth")
    legacy(HERE / "vipermu_legacy.pth", vipermu)

    adam = torch.optim.Adam(released.parameters(), lr=1e-4, betas=(0.5, 0.999))
    released(torch.zeros(1, 3, 16, 16), torch.zeros(1, AUS)).sum().backward()
    adam.step(lambda: None)
    adam_state = adam.state_dict()
    released.load_state_dict({n: v.float() for n, v in torch.load(HERE / "released.pth").items()})
    torch.save(dict(epoch=3, args=dict(lr=1e-4, name="trial"), state_dict=state(released), optimizer=adam_state),
               HERE / "checkpoint.pth")

    critic = drawn(Critic(("main", "conv1", "conv2")))
    names = {"main.": "model.", "conv1.": "dis_top.", "conv2.": "aus_top."}
    other = {next(to + n[len(f):] for f, to in names.items() if n.startswith(f)): v for n, v in state(critic).items()}
    torch.save({n: v.half() for n, v in state(critic).items()}, HERE / "critic_f16.pth")
    legacy(HERE / "critic_replicate_legacy.pth", {n: v.half() for n, v in other.items()})

    rows, columns = torch.meshgrid(torch.linspace(-3, 3, SIZE), torch.linspace(-2, 2, SIZE), indexing="ij")
    face = torch.stack([torch.sin(rows * columns), torch.cos(rows + columns), torch.sin(rows - 2 * columns)]) * 0.9
    picture(face[None]).save(HERE / "face.png")
    face = torch.from_numpy(np.array(Image.open(HERE / "face.png"))).permute(2, 0, 1)[None].float() / 127.5 - 1
    aus = torch.zeros(1, AUS)
    aus[0, 8], aus[0, 14] = 3 / 5, 2 / 5  # AU12=3 AU25=2
    halved = Generator(RELEASED)
    halved.load_state_dict({n: v.float() for n, v in half.items()})
    halved_critic = Critic(("main", "conv1", "conv2"))
    halved_critic.load_state_dict({n: v.half().float() for n, v in state(critic).items()})
    corner = face[:, :, :64, :64].contiguous()
    with torch.no_grad():
        for name, network in dict(released=released, replicate=plain).items():
            picture(network(face, aus)).save(HERE / f"{name}.png")
        realness, read = halved_critic(corner)
        save_file(dict(corner=corner, aus=aus, released=released(corner, aus), f16=halved(corner, aus),
                       replicate=plain(corner, aus), realness=realness, read=read), HERE / "expected.safetensors")


def full_size(folder):
    torch.manual_seed(7)
    generator, critic = drawn(Generator(RELEASED, c=64, blocks=6)), drawn(Critic(("main", "conv1", "conv2"), c=64, image_size=128))
    torch.save(generator.state_dict(), folder / "G.pth")
    torch.save(critic.state_dict(), folder / "D.pth")
    face, aus = torch.rand(2, 3, SIZE, SIZE) * 2 - 1, torch.rand(2, AUS)
    with torch.no_grad():
        realness, read = critic(face)
        expected = dict(corner=face, aus=aus, released=generator(face, aus), realness=realness, read=read)
        save_file(expected, folder / "expected.safetensors")


if __name__ == "__main__":
    sys.exit(full_size(Path(sys.argv[1])) if sys.argv[1:] else main())
