"""The processes that are compared: one a side and case, started once, asked for one turn at a time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
THEIRS = [sys.executable, HERE / "theirs.py"]
PHOTO = [sys.executable, HERE / "photo.py"]


class Skipped(Exception):
    """A side does not offer a case; the text says why."""


class Resident:
    """A process that prepares a case once and then runs one round per request."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        answer = self._read()
        if answer != "ready":
            self.close()
            raise Skipped(answer.removeprefix("skip "))

    def turn(self):
        """Seconds of one turn."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._read())

    def close(self):
        """Ends the process. Returns its peak memory in MiB, if the system reports it."""
        peak = peak_memory(self.process.pid)
        self.process.stdin.close()
        self.process.wait()
        return peak

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Skipped(f"it ended with exit code {self.process.wait()}")
        return line.strip()


class Repeated:
    """A program whose whole run, from start to exit, is a turn."""

    def __init__(self, command, environment):
        self.command, self.environment, self.peak = [str(part) for part in command], environment, None
        self.turn()  # files are in memory from now on

    def turn(self):
        start = time.perf_counter()
        process = subprocess.Popen(self.command, env=self.environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise Skipped(f"it ended with exit code {process.returncode}")
        unit = 1024 if sys.platform == "darwin" else 1
        self.peak = max(self.peak or 0, usage.ru_maxrss / unit / 1024)
        return seconds

    def close(self):
        return self.peak


def peak_memory(pid):
    """Peak resident size of a running process, in MiB (VmHWM). None without /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(sizes[0]) / 1024 if sizes else None


def build(features):
    """Builds our side as everything else is built here; returns its programs by name."""
    command = ["cargo", "build", "--release", "--workspace", "--bin", "ganimation", "--bench", "ours"]
    if features:
        command += ["--features", ",".join(f"ganimation-cli/{feature}" for feature in features)]
    command += ["--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        sys.exit("error: our side does not build; see above")
    messages = map(json.loads, built.stdout.splitlines())
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}


def environment(threads):
    """Both sides get as many threads, whichever library they come from."""
    names = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
    return {**os.environ, **{name: str(threads) for name in names}}


def face_box(ours, photo):
    """The face position from our detector, which is passed to PyTorch's side."""
    found = subprocess.run([ours, "face", photo], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout.split()


def versions():
    """Everything that decides over the figures, as `name: value` pairs."""
    import importlib.metadata as metadata
    import platform

    def says(*command):
        try:
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
        except OSError:
            return "unknown"

    changed = "" if says("git", "status", "--porcelain", "--untracked-files=no") == "" else " with changes"
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{processor()}, {len(os.sched_getaffinity(0))} cores",
        "ours": f"{says('git', 'rev-parse', '--short', 'HEAD')}{changed}, {says('rustc', '--version')}",
        "theirs": f"PyTorch {metadata.version('torch')}, Python {platform.python_version()}",
    }


def processor():
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
