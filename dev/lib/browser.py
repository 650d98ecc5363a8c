"""Chromium for tours, hoot and screenshots: Debian's package, or whatever is in PATH."""

import shutil

from .common import apt_install, step

NAMES = ("google-chrome", "chromium", "chromium-browser", "google-chrome-stable")


def get() -> str:
    """The path of the browser; installs it when root."""
    found = _find()
    if not found:
        with step("Chromium"):
            apt_install("chromium", why="The browser tests need Chromium.")
        found = _find()
    return found


def _find() -> str:
    return next(filter(None, map(shutil.which, NAMES)), "")
