#!/usr/bin/env python3
"""Makes the reference numbers beside it: GANimation in plain PyTorch, double precision, true double backward.

Written from the paper and this project's own description of its losses, apart from the Rust code that is compared with
it. Usage: python3 reference.py [FOLDER], or python3 reference.py --search to look for a seed.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

SEARCH = sys.argv[1:] == ["--search"]
FOLDER = Path(sys.argv[1]) if sys.argv[1:] and not SEARCH else Path(__file__).parent
# The faces' seed: of 400, the one whose activations and differences stay farthest from the kinks of ReLU and |x|. In single
# precision a value on the wrong side of a kink would move every gradient below it by some thousandths.
SEED = 171
AUS, BATCH, HEIGHT, WIDTH, IMAGE_SIZE = 17, 3, 128, 192, 128
GENERATOR_CHANNELS, BLOCKS, CRITIC_CHANNELS = 2, 1, 1
STEPS, GENERATOR_EVERY, KEPT = 10, 2, (1, 2, 10)
RATE, BETAS, EPSILON = 1e-4, (0.5, 0.999), 1e-8
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        norm = lambda: nn.InstanceNorm2d(c, affine=True)
        conv = lambda: nn.Conv2d(c, c, 3, 1, 1, bias=False)
        self.main = nn.Sequential(conv(), norm(), nn.ReLU(), conv(), norm())

    def forward(self, x):
        return x + self.main(x)


class Generator(nn.Module):
    def __init__(self, c=GENERATOR_CHANNELS, blocks=BLOCKS, aus=AUS):
        super().__init__()
        conv = lambda i, o, k, s, p: [nn.Conv2d(i, o, k, s, p, bias=False), nn.InstanceNorm2d(o, affine=True), nn.ReLU()]
        up = lambda i, o: [nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False), nn.InstanceNorm2d(o, affine=True), nn.ReLU()]
        self.main = nn.Sequential(
            *conv(3 + aus, c, 7, 1, 3), *conv(c, 2 * c, 4, 2, 1), *conv(2 * c, 4 * c, 4, 2, 1),
            *[Residual(4 * c) for _ in range(blocks)], *up(4 * c, 2 * c), *up(2 * c, c))
        self.img_reg = nn.Sequential(nn.Conv2d(c, 3, 7, 1, 3, bias=False), nn.Tanh())
        self.attetion_reg = nn.Sequential(nn.Conv2d(c, 1, 7, 1, 3, bias=False), nn.Sigmoid())

    def forward(self, x, aus):
        planes = aus[:, :, None, None].expand(-1, -1, *x.shape[2:])
        features = self.main(torch.cat([x, planes], 1))
        color, attention = self.img_reg(features), self.attetion_reg(features)
        return attention * x + (1 - attention) * color, attention, color


class Critic(nn.Module):
    def __init__(self, c=CRITIC_CHANNELS, image_size=IMAGE_SIZE, aus=AUS):
        super().__init__()
        sizes = [3] + [c << i for i in range(6)]
        layers = [[nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(0.01)] for i, o in zip(sizes, sizes[1:])]
        self.main = nn.Sequential(*sum(layers, []))
        self.conv1 = nn.Conv2d(sizes[-1], 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(sizes[-1], aus, image_size // 64, bias=False)

    def forward(self, x):
        features = self.main(x)
        # The released network sees squares, where one position is left; of a larger image, the mean.
        return self.conv1(features), self.conv2(features).mean((2, 3))


def drawn(network, seed):
    """Weights on both sides of zero everywhere, and of a size that neither saturates nor starves."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if p.dim() == 4:
                p.copy_(torch.randn_like(p) * (2 / p[0].numel()) ** 0.5)
            elif isinstance(network, Generator) and name.endswith("weight"):
                p.copy_(1 + 0.3 * torch.randn_like(p))
            else:
                p.copy_(0.2 * torch.randn_like(p))
    return network


# preset: weight of the AU error, its measure, size of a mask, weight of smoothness, its measure, two critic updates
neighbours = lambda a: (a[:, :, 1:] - a[:, :, :-1], a[:, :, :, 1:] - a[:, :, :, :-1])


def outline(a):
    down, across = neighbours(a)
    return (down.abs().sum() / a.shape[3] + across.abs().sum() / a.shape[2]) / a.shape[0]


PRESETS = {
    "default": dict(
        aus=160.0, au_term=lambda d: (d**2).mean(), size=lambda a: a.mean(),
        smoothness=1e-5 * 25 * 128, evenness=outline, apart=False),
    "released": dict(
        aus=4000.0, au_term=lambda d: (d**2).mean() / len(d), size=lambda a: a.mean(),
        smoothness=1e-5, evenness=lambda a: sum(d.abs().sum() for d in neighbours(a)), apart=True),
    "paper": dict(
        aus=4000.0, au_term=lambda d: (d**2).sum(1).mean(), size=lambda a: a.flatten(1).norm(dim=1).mean(),
        smoothness=0.1 * 1e-4, evenness=lambda a: sum((d**2).sum() for d in neighbours(a)) / len(a), apart=False),
}


def critic_terms(critic, real, aus, fake, preset):
    (of_real, read), (of_fake, _) = critic(real), critic(fake)
    return dict(realness=of_fake.mean() - of_real.mean(), aus=preset["au_term"](read - aus))


def penalty(critic, real, fake, alpha):
    alpha = alpha[:, None, None, None]
    between = (alpha * real + (1 - alpha) * fake).requires_grad_()
    gradient, = torch.autograd.grad(critic(between)[0].sum(), between, create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


def generator_terms(generator, critic, real, aus, targets, preset):
    fake, there, _ = generator(real, targets)
    back, again, _ = generator(fake, aus)
    realness, read = critic(fake)
    return dict(
        realness=-realness.mean(), aus=preset["au_term"](read - targets), cycle=(back - real).abs().mean(),
        attention=preset["size"](there) + preset["size"](again),
        smoothness=preset["evenness"](there) + preset["evenness"](again))


def weighed(terms, preset):
    weights = dict(realness=1, aus=preset["aus"], cycle=10, attention=0.1, smoothness=preset["smoothness"])
    return sum(weights[name] * value for name, value in terms.items())


def gradients(network, loss):
    """Of every parameter that the loss reaches."""
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return {n: g for (n, _), g in zip(network.named_parameters(), found) if g is not None and g.any()}


def rate_at(step):
    """Constant for two thirds of the run, then linear to zero."""
    constant = STEPS * 2 // 3
    return RATE if step < constant else RATE * (STEPS - step) / (STEPS - constant)


def average_towards(average, generator, count):
    decay = min(0.999, (1 + count) / (10 + count))
    return {n: decay * v + (1 - decay) * generator.state_dict()[n] for n, v in average.items()}


def train(preset, real, aus, targets, alphas):
    generator, critic = drawn(Generator(), 1), drawn(Critic(), 2)
    average = {n: v.clone() for n, v in generator.state_dict().items()}
    adam = lambda network: torch.optim.Adam(network.parameters(), lr=RATE, betas=BETAS, eps=EPSILON)
    of_generator, of_critic, kept = adam(generator), adam(critic), {}

    def descend(optimizer, network, loss, rate):
        # Gradients of zero, not none: a parameter that a loss does not reach still moves by its moments.
        for p in network.parameters():
            p.grad = torch.zeros_like(p)
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()

    for step in range(STEPS):
        rate = rate_at(step)
        with torch.no_grad():
            fake = generator(real, targets)[0]
        loss = weighed(critic_terms(critic, real, aus, fake, preset), preset)
        if preset["apart"]:
            descend(of_critic, critic, loss, rate)
            descend(of_critic, critic, 10 * penalty(critic, real, fake, alphas[step]), rate)
        else:
            descend(of_critic, critic, loss + 10 * penalty(critic, real, fake, alphas[step]), rate)
        count = step + 1
        if count % GENERATOR_EVERY == 0:
            loss = weighed(generator_terms(generator, critic, real, aus, targets, preset), preset)
            descend(of_generator, generator, loss, rate)
            average = average_towards(average, generator, count // GENERATOR_EVERY)
        if count in KEPT:
            kept |= {f"after_{count}/discriminator/{n}": v.clone() for n, v in critic.state_dict().items()}
            if count >= GENERATOR_EVERY:
                kept |= {f"after_{count}/generator/{n}": v.clone() for n, v in generator.state_dict().items()}
    return kept, average


def save(name, tensors):
    save_file({n: t.detach().contiguous() for n, t in tensors.items()}, FOLDER / f"{name}.safetensors")


def faces(seed):
    torch.manual_seed(seed)
    pixels = torch.randint(0, 256, (BATCH, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    aus, targets, alphas = torch.rand(BATCH, AUS), torch.rand(BATCH, AUS), torch.rand(STEPS, BATCH)
    return pixels, pixels.double() / 127.5 - 1, aus, targets, alphas


@torch.no_grad()
def distance_to_kinks(seed):
    """Smallest magnitude of an input of a ReLU or an absolute value in the losses before the first step."""
    _, real, aus, targets, _ = faces(seed)
    generator, critic = drawn(Generator(), 1), drawn(Critic(), 2)
    sizes = []
    watch = lambda module, inputs: sizes.append(inputs[0].abs().min().item())
    for module in [*generator.modules(), *critic.modules()]:
        if isinstance(module, (nn.ReLU, nn.LeakyReLU)):
            module.register_forward_pre_hook(watch)
    fake, there, _ = generator(real, targets)
    back, again, _ = generator(fake, aus)
    critic(fake), critic(real)
    for difference in [back - real, *neighbours(there), *neighbours(again)]:
        sizes.append(difference.abs().min().item())
    return min(sizes)


def main():
    pixels, real, aus, targets, alphas = faces(SEED)
    generator, critic = drawn(Generator(), 1), drawn(Critic(), 2)
    save("inputs", dict(
        pixels=pixels, aus=aus, targets=targets, alphas=alphas,
        rates=torch.tensor([rate_at(step) for step in range(STEPS)]),
        **{f"generator/{n}": v for n, v in generator.state_dict().items()},
        **{f"discriminator/{n}": v for n, v in critic.state_dict().items()}))

    # The generator takes any size: a corner of the faces keeps the file small.
    image, attention, color = generator(real[:, :, :16, :24], targets)
    realness, read = critic(real)
    fake = generator(real, targets)[0].detach()
    of_penalty = penalty(critic, real, fake, alphas[0])
    save("networks", dict(
        image=image, attention=attention, color=color, realness=realness, aus=read, penalty=of_penalty[None],
        **{f"penalty/{n}": g for n, g in gradients(critic, of_penalty).items()}))

    for name, preset in PRESETS.items():
        judged = critic_terms(critic, real, aus, fake, preset)
        edited = generator_terms(generator, critic, real, aus, targets, preset)
        kept, average = train(preset, real, aus, targets, alphas)
        if name == "default":
            kept |= {f"after_{STEPS}/average/{n}": v for n, v in average.items()}
        save(name, {
            **{f"critic/{n}": v[None] for n, v in judged.items()}, "critic/total": weighed(judged, preset)[None],
            **{f"generator/{n}": v[None] for n, v in edited.items()}, "generator/total": weighed(edited, preset)[None],
            **{f"critic_gradient/{n}": g for n, g in gradients(critic, weighed(judged, preset)).items()},
            **{f"generator_gradient/{n}": g for n, g in gradients(generator, weighed(edited, preset)).items()},
            **kept})
        print(name, {n: round(v.item(), 5) for n, v in {**judged, "penalty": of_penalty}.items()},
              {n: round(v.item(), 5) for n, v in edited.items()})


if SEARCH:
    print(max((distance_to_kinks(seed), seed) for seed in range(400)))
else:
    main()
