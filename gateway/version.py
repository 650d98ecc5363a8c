"""The version is the addon's: one number says whether both sides belong together."""

import ast
from importlib import metadata
from pathlib import Path


def version() -> str:
    """Return the version of the addon beside us, or of the wheel that we were installed from."""
    manifest = Path(__file__).parent.parent / "__manifest__.py"
    if manifest.is_file():
        return str(ast.literal_eval(manifest.read_text(encoding="utf-8"))["version"])
    return metadata.version("viva-gateway")
