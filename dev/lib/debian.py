"""Files of Debian packages, fetched with apt's own client into private folders.

Nothing is installed on the machine and its package lists stay as they are.
"""

import os
import re
import shutil
from pathlib import Path

from .common import Problem, remove, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# By its name, so that it stays what was tried.
STABLE = "trixie"

ASK = (
    "This machine knows no Debian mirror. Please set ODOO_SRC to a folder with Odoo 19, "
    "or DEBIAN_MIRROR to the address of a Debian mirror."
)


def mirror() -> str:
    """The Debian mirror in use here: ``DEBIAN_MIRROR``, or the first one in apt's configuration."""
    given = os.environ.get("DEBIAN_MIRROR")
    if given:
        return given.rstrip("/")
    if not shutil.which("apt-get"):
        raise Problem(ASK)
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    for path in files:
        if path.suffix in {".list", ".sources"} and path.is_file():
            for address in _addresses(path):
                if re.search(r"/debian/?$", address):
                    return address.rstrip("/")
    raise Problem(ASK)


def _addresses(path: Path) -> list[str]:
    """Addresses in one file of apt's sources, in either of the two formats."""
    found = []
    for line in path.read_text(errors="replace").splitlines():
        line = line.strip()
        if path.suffix == ".list":
            one_line = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)", line)
            if one_line:
                found.append(one_line[1])
        elif line.lower().startswith("uris:"):
            found += line.split()[1:]
    return found


def unpack(suite: str, packages: list[str], target: Path) -> dict[str, str]:
    """Download ``packages`` of a suite and unpack them into ``target``: name -> version."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Problem(ASK)
    if not KEYRING.is_file():
        raise Problem(
            "Debian's archive keys are missing. Please install them "
            "(apt-get install debian-archive-keyring) or set ODOO_SRC to a folder with Odoo 19."
        )
    work = target.with_name(target.name + f".apt-{suite}")
    remove(work)
    for name in ("lists/partial", "cache/archives/partial", "debs"):
        (work / name).mkdir(parents=True)
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
        "APT::Get::List-Cleanup": "0",
    }
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    run("apt-get", *words, "update")
    run("apt-get", *words, "download", *packages, cwd=work / "debs")
    versions = {}
    for deb in sorted((work / "debs").glob("*.deb")):
        run("dpkg-deb", "-x", deb, target)
        name, version, _architecture = deb.stem.split("_", 2)
        versions[name] = version.replace("%3a", ":")
    remove(work)
    return versions
