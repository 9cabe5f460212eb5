#!/usr/bin/env python3
"""Makes checkpoints from `released.pth` with what people keep beside weights, a whole pickled network, and a TorchScript
program. Needs torch and numpy. Usage: python3 make_beside.py, in this folder."""
import argparse
import collections
import pathlib

import numpy as np
import torch

weights = torch.load("released.pth")
parameter = torch.nn.Parameter(torch.zeros(3))
beside = {
    "epoch": np.int64(3),
    "best": np.float64(0.1),
    "args": argparse.Namespace(lr=1e-4, betas=(0.5, 0.999)),
    "numpy_rng": np.random.RandomState(0).get_state(),
    "numpy_generator": np.random.default_rng(0).bit_generator.state,
    "torch_rng": torch.get_rng_state()[:64].clone(),
    "device": torch.device("cpu"),
    "size": torch.Size([1, 2]),
    "dtype": torch.float32,
    "path": pathlib.PurePosixPath("runs/a"),
    "history": collections.defaultdict(list, loss=[1.0]),
    "seen": {1, 2},
    "letters": frozenset("ab"),
    "complex": 1 + 2j,
    "spectrum": torch.zeros(2, dtype=torch.complex64),
    "optimizer": torch.optim.Adam([parameter]).state_dict(),
}
networks = {"G": weights, "G_ema": weights}
torch.save({**beside, **networks}, "beside.pth")
torch.save({**beside, **networks}, "beside_legacy.pth", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), "module.pth")
torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), "script.pt")
