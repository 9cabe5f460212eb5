"""One step of each network in PyTorch: the losses and settings that `ganimation train` uses by default."""

import copy
from contextlib import nullcontext

import torch

from networks import AUS, Critic, Generator, initialise

SIZE = 128


class Training:
    """Both networks with their optimisers, and a batch of random faces."""

    def __init__(self, batch, device, memory_format, bf16=False, compiled=False):
        to = {"device": device, "memory_format": memory_format}
        self.generator = initialise(Generator()).to(**to)
        self.critic = initialise(Critic(SIZE)).to(**to)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        # The gradient of a gradient does not compile; the generator does.
        self.edit = torch.compile(self.generator) if compiled else self.generator
        adam = {"lr": 1e-4, "betas": (0.5, 0.999), "eps": 1e-8, "fused": True}
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), **adam)
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), **adam)
        self.faces = (torch.rand(batch, 3, SIZE, SIZE) * 2 - 1).to(**to)
        self.aus, self.targets = torch.rand(2, batch, AUS, device=device)
        self.precision = (lambda: torch.autocast(device.type, torch.bfloat16)) if bf16 else nullcontext

    def critic_step(self):
        """Judgements of real and edited faces, the gradient penalty, one step of Adam on the sum."""
        batch = len(self.faces)
        with self.precision():
            with torch.no_grad():
                fake = self.edit(self.faces, self.targets)[0].float()
            realness, aus = self.critic(torch.cat([self.faces, fake]))
            share = torch.rand(batch, 1, 1, 1, device=self.faces.device)
            between = torch.lerp(fake, self.faces, share).requires_grad_()
            judged = self.critic(between)[0]
        loss = realness[batch:].float().mean() - realness[:batch].float().mean()
        loss = loss + 160 * (aus[:batch].float() - self.aus).square().mean()
        (slope,) = torch.autograd.grad(judged.float().sum(), between, create_graph=True)
        norm = slope.float().square().sum((1, 2, 3)).clamp_min(1e-24).sqrt()
        loss = loss + 10 * (norm - 1).square().mean()
        self.critic_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.critic_adam.step()

    def generator_step(self):
        """Edit there and back, all of the generator's losses, one step of Adam, the moving average."""
        self.critic.requires_grad_(False)
        with self.precision():
            there, mask_there, _ = self.edit(self.faces, self.targets)
            back, mask_back, _ = self.edit(there, self.aus)
            realness, aus = self.critic(there)
        loss = -realness.float().mean() + 160 * (aus.float() - self.targets).square().mean()
        loss = loss + 10 * (back.float() - self.faces).abs().mean()
        for mask in (mask_there.float(), mask_back.float()):
            loss = loss + 0.1 * mask.mean() + 0.032 * outline(mask)
        self.generator_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_adam.step()
        self.critic.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1e-3)


def outline(mask):
    """Absolute differences of neighbours over the image's sides, mean over the batch."""
    batch, _, height, width = mask.shape
    down = (mask[:, :, 1:] - mask[:, :, :-1]).abs().sum() / width
    across = (mask[:, :, :, 1:] - mask[:, :, :, :-1]).abs().sum() / height
    return (down + across) / batch
