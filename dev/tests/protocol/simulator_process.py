"""Runs the simulator as a process of its own, and speaks its control API."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]
# For requests outside a client: no proxies, and no certificates to load.
PLAIN = {"trust_env": False, "verify": False}
MERCHANT = "11111111-2222-3333-4444-555555555555"
MERCHANT_2 = "22222222-2222-3333-4444-555555555555"
TERMINAL = "16000010"
TERMINAL_2 = "16000011"
FOREIGN_TERMINAL = "16000020"
BROKEN_TERMINAL = "16000013"


class ControlError(Exception):
    """The control API refused; the text says why."""


class SimulatorProcess:
    """``python -m simulator`` on a free port."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " on http://" in line, f"The simulator did not start: {line!r}"
        self.url = line.rsplit(" ", 1)[1].strip()
        self._http = httpx.Client(base_url=self.url, trust_env=False, verify=False, timeout=20)

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """Call the control API; ``path`` with or without ``/control``. :raises ControlError: when it refuses"""
        if not path.startswith("/control"):
            path = "/control/" + path.lstrip("/")
        response = self._http.request(method, path, json=json)
        if response.is_error:
            raise ControlError(f"{response.status_code} {response.text}")
        return response.json()

    def act(self, action: str, at: str = TERMINAL, **options: Any) -> Any:
        """What a person does at the terminal ``at``; waits for the request to be shown."""
        if action not in ("plug", "unplug"):
            options.setdefault("wait_s", 5)
        return self.control("POST", f"terminals/{at}/{action}", options)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process; answers its exit code."""
        self._http.close()
        self.process.send_signal(how)
        code = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def until(check: Any, seconds: float = 5) -> Any:
    """Wait for ``check()`` to answer something true, and answer that."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value
