"""Compares this project with PyTorch on the same work, both sides in turn, and prints a table and the ratios."""

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path

from sides import PHOTO, ROOT, THEIRS, Repeated, Resident, Skipped, build, environment, face_box, versions

CPU_CASES = [
    "generator-b1-f32",
    "generator-b8-f32",
    "generator-b1-bf16",
    "generator-b8-bf16",
    "train-b4-f32",
    "train-b8-f32",
    "train-b4-bf16",
    "train-b8-bf16",
    *(f"{network}-b16-{kind}" for network in ("motion", "pilot") for kind in ("f32", "bf16")),
    "photo",
    "loader-w1",
    "loader-w2",
]
GPU_CASES = [
    *(f"generator-b{batch}-{kind}" for kind in ("f32", "bf16") for batch in (1, 8, 25, 64)),
    *(f"train-b{batch}-{kind}" for kind in ("f32", "bf16") for batch in (4, 8, 25, 64)),
    *(f"motion-b{batch}-{kind}" for kind in ("f32", "bf16") for batch in (16, 64)),
    "photo",
]
# PyTorch may choose; the fastest is the opponent.
VARIANTS = ["contiguous", "channels_last", "compiled", "compiled channels_last"]
# Turns that each variant gets before the opponent is known.
TRIALS = 3


def main():
    parser = argparse.ArgumentParser(prog="crates/ganimation/benches/pytorch/compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side (default: %(default)s)")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="names or patterns as train-* (default: all)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each side (default: all)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda, which builds the feature (default: %(default)s)")
    parser.add_argument("--our-device", help="of our side alone, as wgpu (default: flex for cpu, else --device)")
    parser.add_argument("--programs", type=Path, metavar="DIR", help="use `ours` (and `ganimation` for the photo) in DIR, build nothing")
    parser.add_argument("--time", type=float, metavar="SECONDS", help="begin no further case after this time")
    parser.add_argument("--features", nargs="+", help="cargo features of our side (default: cuda-nvrtc for cuda)")
    parser.add_argument("--faces", type=Path, default=ROOT / "assets/sample_dataset", help="dataset for the loader")
    parser.add_argument("--photo", type=Path, default=ROOT / "assets/grace_hopper.jpg", help="photo to edit")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out: it takes minutes")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    for module, package in [("torch", "torch"), ("numpy", "numpy"), ("PIL", "pillow")]:
        if importlib.util.find_spec(module) is None:
            print(f"error: {sys.executable} has no {package}", file=sys.stderr)
            print("hint: PYTHON=PATH chooses another; `pip install torch numpy pillow` adds it", file=sys.stderr)
            print("hint: `cargo bench` measures this project alone", file=sys.stderr)
            return 2
    gpu = options.device.startswith("cuda")
    known = GPU_CASES if gpu else CPU_CASES
    cases = chosen(options.cases, known)
    start = time.monotonic()
    if options.programs:
        programs = {name: options.programs.resolve() / name for name in ("ganimation", "ours")}
    else:
        programs = build(options.features or (["cuda-nvrtc"] if gpu else []))

    for name, value in versions().items():
        print(f"{name}: {value}")
    print(f"device: {options.our_device or options.device}; PyTorch's: {options.device}; threads of each side: {options.threads}; rounds: {options.rounds}\n")
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases:
            if options.time and time.monotonic() - start > options.time:
                print(f"{case}: left out, {options.time:.0f} seconds are over", flush=True)
                continue
            try:
                results.append(compare(case, programs, options, Path(scratch)))
            except Skipped as reason:
                print(f"{case}: left out, {reason}", flush=True)
    print("\n" + table(results, options.markdown) + "\n")
    for result in results:
        print(f"RATIO {result['case']} {result['ratio']:.2f}")
    loaders = [result["ratio"] for result in results if result["case"].startswith("loader-")]
    if loaders:
        print(f"RATIO loader {min(loaders):.2f}")
    return 0


def chosen(patterns, known):
    """The known cases that a pattern fits, and any that are named in full (as generator-b32-f32)."""
    if not patterns:
        return known
    cases = []
    for pattern in patterns:
        fitting = [case for case in known if fnmatch(case, pattern) or case.startswith(f"{pattern}-")]
        cases += fitting or [pattern]
    return list(dict.fromkeys(cases))


def compare(case, programs, options, scratch):
    """Finds PyTorch's fastest variant, then runs both sides alternately."""
    ours_command, theirs_command, variants, kind = sides(case, programs, options, scratch)
    env = environment(options.threads)
    ours = kind(ours_command, env)
    try:
        trials = {}
        for variant in variants:
            try:
                trials[variant] = trial(kind, theirs_command + ["--variant", variant], env)
            except Skipped as reason:
                print(f"{case}: PyTorch without {variant}: {reason}", flush=True)
        if not trials:
            raise Skipped("PyTorch does not run it")
        opponent = min(trials, key=trials.get)
        told = ", ".join(f"{variant} {shown(seconds)}" for variant, seconds in trials.items())
        print(f"{case}: PyTorch's trials: {told}", flush=True)
        theirs = kind(theirs_command + ["--variant", opponent], env)
        rounds = []
        for at in range(options.rounds):
            # Who goes first changes, so that neither always follows the other.
            first, second = (ours, theirs) if at % 2 == 0 else (theirs, ours)
            turns = {first: first.turn(), second: second.turn()}
            rounds.append((turns[theirs], turns[ours]))
        peaks = theirs.close(), ours.close()
    except Skipped:
        ours.close()
        raise
    ratios = [theirs / ours for theirs, ours in rounds]
    result = {
        "case": case,
        "opponent": opponent,
        "theirs": [theirs for theirs, _ in rounds],
        "ours": [ours for _, ours in rounds],
        "ratios": ratios,
        "ratio": statistics.median(ratios),
        "peaks": peaks,
    }
    print(f"{case}: {statistics.median(ratios):.2f}", flush=True)
    return result


def sides(case, programs, options, scratch):
    """Both commands of a case, PyTorch's variants, and the work of one round."""
    bench, device = programs["ours"], ["--device", options.device, "--threads", options.threads]
    our_device = options.our_device or ("flex" if options.device == "cpu" else options.device)
    if case == "photo":
        weights, aus = ROOT / "crates/ganimation-weights/generator.safetensors", ["--au", "6=2", "--au", "12=3"]
        box = face_box(bench, options.photo)
        ours = [programs["ganimation"], "edit", options.photo, *aus, "--device", our_device, "-o", scratch / "ours.png"]
        theirs = [*PHOTO, options.photo, scratch / "theirs.png", "--weights", weights, "--box", *box, *aus, *device]
        return ours, theirs, VARIANTS[:2], Repeated
    ours = [bench, case, our_device, options.faces.resolve()]
    theirs = [*THEIRS, case, *device, "--faces", options.faces.resolve()]
    if case.startswith("loader-"):
        return ours, theirs, VARIANTS[:1], Resident
    return ours, theirs, VARIANTS[: 2 if options.no_compile else None], Resident


def trial(kind, command, env):
    """Fewest seconds of a few turns."""
    side = kind(command, env)
    seconds = min(side.turn() for _ in range(TRIALS))
    side.close()
    return seconds


def table(results, markdown):
    head = ["case", "PyTorch", "its best variant", "this project", "ratio", "peak memory, PyTorch", "this project"]
    rows = [
        [
            result["case"],
            spread(result["theirs"]),
            result["opponent"],
            spread(result["ours"]),
            f"{result['ratio']:.2f} ({min(result['ratios']):.2f} to {max(result['ratios']):.2f})",
            *(f"{peak:,.0f} MiB" if peak else "?" for peak in result["peaks"]),
        ]
        for result in results
    ]
    if markdown:
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [head, *rows]]
    return "\n".join(lines)


def spread(seconds):
    return f"{shown(statistics.median(seconds))} ({shown(min(seconds))} to {shown(max(seconds))})"


def shown(seconds):
    for unit, scale in [("s", 1), ("ms", 1e3)]:
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}" if seconds * scale < 100 else f"{seconds * scale:.0f} {unit}"
    return f"{seconds * 1e6:.0f} µs"


if __name__ == "__main__":
    sys.exit(main())
