"""PyTorch's side of a case: prepares it, says `ready`, and answers every line on stdin with the seconds of one turn.

    python3 theirs.py generator-b1-f32 --variant channels_last --threads 2

`compare` runs this beside our own side, `benches/ours.rs`, which speaks the same way.
"""

import argparse
import shutil
import statistics
import sys
import time
from pathlib import Path

import torch

from networks import AUS, Generator, initialise

# Minimum time of a round, so that fast cases are measured more than once.
TURN = 0.4
SIZE = 128
# The loader's turn: this many batches after as many that fill the queue.
BATCH, BATCHES = 25, 40


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("--variant", default="contiguous")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--faces", type=Path)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    # Burn also does this on CUDA, by default.
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if "compiled" in options.variant and shutil.which("g++") is None and options.device == "cpu":
        return print("skip torch.compile needs g++", flush=True)
    try:
        turn = prepare(options)
        turn()  # compiles, tunes and allocates
    except Exception as error:  # noqa: BLE001: for any error, the comparison continues and prints the reason
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return print("skip", reason[0][:200], flush=True)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(f"{turn():.9f}", flush=True)


def prepare(options):
    """The work of one round of the case: a function that returns seconds."""
    kind, detail, *precision = options.case.split("-")
    if kind == "loader":
        return loader(options.faces, int(detail.removeprefix("w")), options.device)
    batch, bf16 = int(detail.removeprefix("b")), precision == ["bf16"]
    device = torch.device(options.device)
    settings = {
        "memory_format": torch.channels_last if "channels_last" in options.variant else torch.contiguous_format,
        "compiled": "compiled" in options.variant,
        "bf16": bf16,
    }
    cases = {"generator": generator, "train": training, "motion": motion, "pilot": pilot}
    return cases[kind](batch, device, **settings)


def generator(batch, device, memory_format, compiled, bf16):
    # As a user who only wants edits would: weights are constants, of the type that is computed in.
    to = {"device": device, "memory_format": memory_format, "dtype": torch.bfloat16 if bf16 else torch.float32}
    network = initialise(Generator()).eval().to(**to)
    faces = (torch.rand(batch, 3, SIZE, SIZE) * 2 - 1).to(**to)
    aus = torch.rand(batch, AUS).to(device, to["dtype"])
    if compiled:
        from torch._inductor import config

        config.freezing = True
        network = torch.compile(network)

    def turn():
        # Frozen networks of the compiler do not support the inference mode.
        with torch.no_grad() if compiled else torch.inference_mode():
            return repeated(lambda: network(faces, aus), device)

    return turn


def training(batch, device, **settings):
    from training import Training

    steps = Training(batch, device, **settings)

    def turn():
        critic, generator = timed(steps.critic_step, device), timed(steps.generator_step, device)
        return critic + generator / 5

    return turn


def motion(batch, device, edge=3, **settings):
    from motion import Motion

    steps = Motion(batch, device, edge=edge, **settings)

    def turn():
        # R1 comes every eighth step.
        return statistics.mean(timed(lambda: steps.step(number), device) for number in range(8))

    return turn


def pilot(batch, device, **settings):
    return motion(batch, device, edge=7, **settings)


def loader(folder, workers, _device):
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    import numpy

    class Faces(Dataset):
        """Every picture is decoded anew and mirrored by chance; bytes go out, as from our own loader."""

        def __init__(self):
            names = (folder / "train_ids.csv").read_text().split()
            least = (2 * BATCHES + 1) * BATCH
            self.names = names * -(-least // len(names))

        def __len__(self):
            return len(self.names)

        def __getitem__(self, index):
            with Image.open(folder / "imgs" / self.names[index]) as picture:
                pixels = numpy.asarray(picture.convert("RGB"))
            if torch.rand(()) < 0.5:
                pixels = pixels[:, ::-1]
            return torch.from_numpy(pixels.copy()), torch.rand(AUS), torch.rand(AUS)

    loader = DataLoader(Faces(), BATCH, shuffle=True, num_workers=workers, drop_last=True)

    def turn():
        batches = iter(loader)
        for _ in range(BATCHES):
            next(batches)
        start = time.perf_counter()
        for _ in range(BATCHES):
            next(batches)
        return (time.perf_counter() - start) / (BATCHES * BATCH)

    return turn


def repeated(work, device):
    """Median seconds of `work` over a turn."""
    seconds = []
    while sum(seconds) < TURN:
        seconds.append(timed(work, device))
    return statistics.median(seconds)


def timed(work, device):
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
