"""./dev/test [PATH …] [-k NAME] [pytest's options]

Layers: protocol (dev/tests/protocol, no Odoo), Odoo (tests, bridges/*/tests), its files that drive a
browser, live (dev/tests/live, a real Odoo with two workers), and those of Odoo's own tests that
dev/tests/standard.txt names. A PATH chooses layer and files. What is not about time runs in two lanes.
"""

import contextlib
import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from . import browser, databases
from .common import ROOT, Problem, log_dir, say
from .environment import Environment, prepare

WITH_VALUE = {
    "-k",
    "-m",
    "-p",
    "-n",
    "-o",
    "-W",
    "--maxfail",
    "--durations",
    "--deselect",
    "--ignore",
}

STANDARD = "dev/tests/standard.txt"
STARTS = {"protocol": "dev/tests/protocol", "live": "dev/tests/live", "standard": STANDARD}
# Files of the Odoo layer that wait for Chromium most of the time.
BROWSER = (
    "tests/test_booking_tours.py",
    "tests/test_hold_tours.py",
    "tests/test_pos_hoot.py",
    "tests/test_pos_tours.py",
)
# Layers that run side by side; what is left runs alone, because it measures time.
LANES = (("odoo", "standard"), ("browser", "protocol"))


@dataclass
class Result:
    layer: str
    seconds: float = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: bool = False


def main(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        say(__doc__)
        return 0
    paths, options = _split(arguments)
    chosen = _by_layer(paths)
    environment = prepare()
    with environment.postgres.running():
        results = _in_lanes(environment, chosen, options)
        for layer, files in chosen.items():
            if not any(layer in lane for lane in LANES):
                _title(layer)
                results.append(_run(environment, layer, files, options))
    return _summary(results, partial=bool(paths or options))


def _title(layer: str) -> None:
    say(f"\n── {layer} " + "─" * (70 - len(layer)))


def _in_lanes(
    environment: Environment, chosen: dict[str, list[str]], options: list[str]
) -> list[Result]:
    """The first lane is seen while it runs; what the other one has said is shown after it."""
    lanes = [[layer for layer in lane if layer in chosen] for lane in LANES]
    first, second = lanes if all(lanes) else (lanes[0] + lanes[1], [])
    if {"odoo", "browser", "standard"} & chosen.keys():
        browser.get()
        databases.template(environment)
    results = []
    with contextlib.ExitStack() as stack:
        outputs = {layer: stack.enter_context(tempfile.TemporaryFile("w+")) for layer in second}
        pool = stack.enter_context(ThreadPoolExecutor(1))
        beside = [
            pool.submit(_run, environment, layer, chosen[layer], options, output)
            for layer, output in outputs.items()
        ]
        for layer in first:
            _title(layer)
            results.append(_run(environment, layer, chosen[layer], options))
        for running, (layer, output) in zip(beside, outputs.items(), strict=True):
            results.append(running.result())
            _title(f"{layer} (ran beside)")
            output.seek(0)
            say(output.read().rstrip())
    return results


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Paths of this checkout (relative to it; ``::test`` may follow), and everything else."""
    paths, options = [], []
    words = iter(arguments)
    for word in words:
        file, mark, test = word.partition("::")
        found = [base / file for base in (Path.cwd(), ROOT) if (base / file).exists()]
        if word in WITH_VALUE:
            options += [word, next(words, "")]
        elif word.startswith("-") or not found:
            options.append(word)
        else:
            path = found[0].resolve()
            if ROOT not in path.parents:
                raise Problem(f"{word} is not a file or folder of tests in {ROOT}.")
            paths.append(str(path.relative_to(ROOT)) + mark + test)
    return paths, options


def _by_layer(paths: list[str]) -> dict[str, list[str]]:
    bridges = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("bridges/*/tests"))]
    everything = {
        "protocol": ["dev/tests/protocol"],
        "odoo": ["tests", *bridges],
        "browser": list(BROWSER),
        "live": ["dev/tests/live"],
        "standard": [STANDARD],
    }
    if not paths:
        return everything
    chosen: dict[str, list[str]] = {}
    for path in paths:
        if path in ("dev", "dev/tests"):
            raise Problem("Please name one layer: dev/tests/protocol, dev/tests/live or tests.")
        layer = next((name for name, start in STARTS.items() if path.startswith(start)), "odoo")
        if path.partition("::")[0] in BROWSER:
            layer = "browser"
        chosen.setdefault(layer, []).append(path)
    return chosen


def _run(
    environment: Environment, layer: str, files: list[str], options: list[str], output=None
) -> Result:
    report = log_dir() / f"{layer}-{os.getpid()}.xml"
    words = [f"--junitxml={report}", "-q", *options]
    began = time.monotonic()
    if layer in ("protocol", "live"):
        if layer == "live":
            browser.get()
            databases.shop(environment)
        _outside(environment, files, words, output)
    elif layer == "standard":
        _inside(environment, layer, _standard(environment), words, output)
    else:
        addon = environment.addon
        targets = [
            environment.bridges.parent / file if file.startswith("bridges/") else addon / file
            for file in files
        ]
        if layer == "odoo":
            words += [f"--ignore={addon / file}" for file in BROWSER]
        _inside(environment, layer, targets, words, output)
    result = Result(layer, time.monotonic() - began)
    with contextlib.suppress(OSError, ElementTree.ParseError):
        _count(result, ElementTree.parse(report))
        report.unlink()
    return result


def _outside(environment: Environment, files: list[str], words: list[str], output=None) -> None:
    """pytest without Odoo in its process: an ini file and a rootdir of its own."""
    home = ROOT / "dev" / "tests"
    cache = environment.checkout / "pytest-outside"
    command = [environment.python, "-m", "pytest", "-c", home / "pytest.ini", f"--rootdir={home}"]
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command += ["-o", f"cache_dir={cache}", *words, *files]
    subprocess.run(command, cwd=ROOT, env=outside, stdout=output, stderr=output)


def _inside(
    environment: Environment, layer: str, targets: list[Path], words: list[str], output=None
) -> None:
    """pytest-odoo on the linked path, with a copy of the template database."""
    browser.get()
    addon = environment.addon
    source = databases.template(environment)
    with databases.throw_away(environment, layer, source) as database:
        command = [
            *(environment.python, "-m", "pytest", "-c", addon / "pyproject.toml"),
            *(
                f"--rootdir={addon.parent}",
                "-o",
                f"cache_dir={environment.checkout / f'pytest-{layer}'}",
            ),
            *(f"--odoo-database={database}", "--odoo-http", "--odoo-log-level=warn"),
            f"--odoo-extra=screenshots={log_dir() / 'screenshots'}",
        ]
        subprocess.run(
            [*command, *words, *targets],
            cwd=addon,
            env=environment.variables,
            stdout=output,
            stderr=output,
        )


def _standard(environment: Environment) -> list[Path]:
    lines = (ROOT / STANDARD).read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    return [environment.source.standard_addons / name for name in names]


def _count(result: Result, report: ElementTree.ElementTree) -> None:
    for suite in report.iter("testsuite"):
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        skipped = int(suite.get("skipped"))
        result.failed += bad
        result.skipped += skipped
        result.passed += int(suite.get("tests")) - bad - skipped


def _summary(results: list[Result], partial: bool) -> int:
    say("\n── summary " + "─" * 63)
    for result in results:
        nothing = not (result.passed or result.failed)
        result.broken = nothing and not partial
        note = "   no test was run" if nothing else ""
        say(
            f"{result.layer:10}{result.passed:5} passed {result.failed:4} failed "
            f"{result.skipped:4} skipped {result.seconds:7.0f} s{note}"
        )
    passed, failed, skipped = (
        sum(getattr(result, name) for result in results) for name in ("passed", "failed", "skipped")
    )
    broken = any(result.broken for result in results) or not passed
    if failed or broken:
        say(f"logs: {log_dir()}")
    say(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return int(bool(failed or broken))
