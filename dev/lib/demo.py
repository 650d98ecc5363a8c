"""Databases with the demo shop (dev/demo.py): for dev/run, the live tests and the bench."""

import json

from . import databases
from .common import ROOT, Problem, digest, locked, log_dir, step
from .environment import Environment
from .postgres import Postgres

SCRIPT = ROOT / "dev" / "demo.py"

FACTS = """SELECT json_build_object(
    'config', (SELECT id FROM pos_config WHERE name = 'Demo Shop'),
    'webhook', (SELECT webhook_path FROM viva_account WHERE name = 'Viva (simulator)'))"""
