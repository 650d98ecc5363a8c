"""The wheel: it has the drivers in it, and nothing of it comes from the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built and unpacked into a folder of its own, as ``pip install --target`` does."""
    built = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(built)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "gateway", check=True)
    (wheel,) = built.glob("*.whl")
    target = tmp_path_factory.mktemp("target")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target)
    return target


def call(installed, folder, *words):
    """The command as its entry point runs it; neither the checkout nor the user's folders are looked at."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "from importlib.metadata import distribution\n"
        "(command,) = distribution('viva-gateway').entry_points\n"
        "assert command.name == 'viva-gateway'\n"
        "sys.exit(command.load()())"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", code, str(installed), *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_version(installed, tmp_path):
    manifest = eval((ROOT / "__manifest__.py").read_text())
    done = call(installed, tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"viva-gateway {manifest['version']}\n"), done


def test_it_says_what_to_do(installed, tmp_path):
    done = call(installed, tmp_path, "--state", str(tmp_path), "status")
    assert done.returncode == 3
    assert "viva-gateway pair" in done.stdout


def test_the_drivers_are_its_own(installed, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import viva_gateway.service, viva_gateway.viva\n"
        "print(viva_gateway.viva.drivers.__file__)\n"
        "assert 'drivers' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(installed)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == installed / "viva_gateway" / "drivers" / "__init__.py"


def test_what_is_in_it(installed):
    (record,) = installed.glob("*.dist-info/RECORD")
    names = {line.split(",")[0] for line in record.read_text().splitlines()}
    names = {name.removeprefix("viva_gateway/") for name in names if "dist-info" not in name}
    source = {path.name for path in (ROOT / "gateway").glob("*.py")}
    drivers = {f"drivers/{path.name}" for path in (ROOT / "drivers").glob("*.py")}
    packaging = {"packaging/viva-gateway.service", "packaging/viva-gateway.ini"}
    assert names == source | drivers | packaging | {"LICENSE"}


def test_the_service_never_restarts_what_needs_a_person():
    from gateway.problems import NO_RESTART

    unit = (ROOT / "gateway" / "packaging" / "viva-gateway.service").read_text()
    codes = " ".join(str(code) for code in NO_RESTART)
    assert f"RestartPreventExitStatus={codes}\n" in unit
