"""What every developer command shares: where things lie, progress, locks, child processes."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout; it is the addon."""

LOCK = ROOT / "dev" / "requirements.lock"


class Problem(Exception):
    """One sentence for the person in front of the screen: what is missing and what to do."""


def state_dir() -> Path:
    """The folder for everything that is installed or made; nothing else on the machine is touched.

    ``VIVA_STATE`` wins. Root gets /var/cache: PostgreSQL runs as another user there, and that one
    cannot look into /root.
    """
    if os.environ.get("VIVA_STATE"):
        path = Path(os.environ["VIVA_STATE"]).absolute()
    elif os.geteuid() == 0:
        path = Path("/var/cache/viva_payments")
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        path = Path(cache) / "viva_payments"
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(*parts: object) -> str:
    """A short key made of ``parts``."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(data + b"\0")
    return total.hexdigest()[:12]


def lock_hash() -> str:
    return digest(LOCK.read_bytes(), "%d.%d" % sys.version_info[:2])


def say(text: str = "") -> None:
    print(text, flush=True)


@contextlib.contextmanager
def step(what: str):
    """Say what is being done and, at the end, how many seconds it took."""
    print(f"  {what} …", end="", flush=True)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - began:.0f} s", flush=True)


@contextlib.contextmanager
def locked(name: str):
    """Only one process of this machine at a time, whatever its checkout."""
    with open(state_dir() / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def log_dir() -> Path:
    path = state_dir() / "logs"
    path.mkdir(exist_ok=True)
    return path


def run(*command: object, log: str = "setup.log", **options) -> None:
    """Run a command with its output in a log file; show the end of that if it fails."""
    path = log_dir() / log
    words = [str(word) for word in command]
    with open(path, "ab") as handle:
        handle.write(f"\n$ {' '.join(words)}\n".encode())
        handle.flush()
        start = handle.tell()
        options = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **options}
        done = subprocess.run(words, stdout=handle, **options)
    if done.returncode:
        with open(path, "rb") as handle:
            handle.seek(start)
            tail = handle.read().decode(errors="replace").strip().splitlines()[-15:]
        raise Problem("\n".join([*tail, f"That did not work: {' '.join(words[:4])} (log: {path})"]))


def output(*command: object, **options) -> str:
    """What a command printed, without the last line end."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, **options)
    if done.returncode:
        raise Problem(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.rstrip("\n")


def apt_install(*packages: str, why: str) -> None:
    """Install system packages when that is possible without a question, else say what to type."""
    names = " ".join(packages)
    if os.geteuid() or not shutil.which("apt-get"):
        raise Problem(f"{why} Please install it (on Debian: sudo apt-get install {names}).")
    apt = ("apt-get", "-y", "--no-install-recommends", "install", *packages)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(*apt, env=env)
    except Problem:
        run("apt-get", "update", env=env)
        run(*apt, env=env)


def remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
