"""``python3 -m lib COMMAND …``: what the scripts in dev/ call."""

import importlib
import os
import sys

from .common import Problem


def main() -> int:
    os.environ.pop("PYTHONPATH", None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command, *arguments = sys.argv[1:]
    try:
        return importlib.import_module(f".{command}", __package__).main(arguments)
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
    return 1


sys.exit(main())
