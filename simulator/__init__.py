"""A pretend Viva.com: cloud, webhooks and virtual terminals in one process, for tests and demonstrations.

Written from the protocol references only. It imports nothing of the addon, so that one mistake cannot hide in both.
Start it with ``python -m simulator``; what can be set is described in :mod:`simulator.settings` and :mod:`simulator.faults`.
"""
