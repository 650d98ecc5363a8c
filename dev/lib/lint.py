"""./dev/lint [--fix]: everything that reads the code without running it.

``--fix`` lets ruff and prettier mend what they can.
"""

import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

from . import node
from .common import ROOT, say, state_dir
from .environment import Environment, prepare

# What belongs to an addon; the rest of the repository is ordinary Python.
ADDON_PYTHON = (
    "__init__.py",
    "__manifest__.py",
    "controllers",
    "models",
    "report",
    "tests",
    "wizard",
)
JAVASCRIPT = ("static", "bridges", "simulator", "dev")


def main(arguments: list[str]) -> int:
    environment = prepare()
    fix = "--fix" in arguments
    checks = {
        "ruff": lambda: _ruff(environment, fix),
        "mypy": lambda: _python(environment, "mypy", "--cache-dir", state_dir() / "mypy"),
        "pylint-odoo": lambda: _pylint(environment),
        "javascript": lambda: _javascript(environment, fix),
        "xml": _xml,
    }
    failed = []
    for name, check in checks.items():
        began = time.monotonic()
        good = check()
        say(f"{name:12} {'good' if good else 'FAILED':7}{time.monotonic() - began:4.0f} s")
        if not good:
            failed.append(name)
    say(f"lint: {', '.join(failed)} failed" if failed else "lint: good")
    return int(bool(failed))


def _call(*words: object, **options) -> bool:
    return subprocess.run([str(word) for word in words], cwd=ROOT, **options).returncode == 0


def _python(environment: Environment, *words: object, **options) -> bool:
    return _call(environment.python, "-m", *words, **options)


def _ruff(environment: Environment, fix: bool) -> bool:
    cache = ("--cache-dir", state_dir() / "ruff")
    check = _python(environment, "ruff", "check", "-q", *(["--fix"] if fix else []), *cache)
    form = _python(environment, "ruff", "format", "-q", *([] if fix else ["--diff"]), *cache)
    return check and form


def _pylint(environment: Environment) -> bool:
    """On the linked path: pylint-odoo takes the addon's name from the folder."""
    addons = [environment.addon, *_parents("bridges/*/__manifest__.py")]
    targets = [addon / name for addon in addons for name in ADDON_PYTHON if (addon / name).exists()]
    return _call(
        *(environment.python, "-m", "pylint", f"--rcfile={ROOT / 'pyproject.toml'}"),
        *targets,
        env={**environment.variables, "PYLINTHOME": str(state_dir() / "pylint")},
    )


def _javascript(environment: Environment, fix: bool) -> bool:
    files = [path for path in _files("*.js", "*.mjs") if path.parts[0] in JAVASCRIPT]
    home = node.get(environment.venv)
    variables = {**node.variables(environment.venv), "VIVA_NODE": str(home)}
    modules = home / "node_modules"
    eslint = _call(
        *(node.node(environment.venv), modules / "eslint/bin/eslint.js"),
        *("--config", ROOT / "dev/eslint.config.mjs", "--max-warnings=0"),
        *(["--fix"] if fix else []),
        *files,
        env=variables,
    )
    prettier = _call(
        *(node.node(environment.venv), modules / "prettier/bin/prettier.cjs"),
        *("--config", ROOT / "dev/prettier.json", "--log-level=warn"),
        "--write" if fix else "--check",
        *files,
        env=variables,
    )
    return eslint and prettier


def _xml() -> bool:
    good = True
    for path in _files("*.xml", "*.svg"):
        try:
            ElementTree.parse(ROOT / path)
        except ElementTree.ParseError as error:
            say(f"{path}: {error}")
            good = False
    return good


def _files(*patterns: str) -> list[Path]:
    """Files of the checkout, relative to it."""
    found = [path.relative_to(ROOT) for pattern in patterns for path in ROOT.rglob(pattern)]
    return sorted(path for path in found if not path.parts[0].startswith("."))


def _parents(pattern: str) -> list[Path]:
    return sorted(path.parent for path in ROOT.glob(pattern))
