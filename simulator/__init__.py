"""A pretend Viva.com: cloud, webhooks and virtual terminals in one process, for tests and demonstrations.

Written from the protocol references only. It imports nothing of the addon, so that one mistake cannot hide in both.
Start it with ``python -m simulator``. What can be set is described where it is: :mod:`simulator.settings` and
:mod:`simulator.faults` for the cloud, :mod:`simulator.lan`, :mod:`simulator.local` and :mod:`simulator.prolin` for terminals
that answer on the LAN, :mod:`simulator.app_to_app` for the app on a device, :mod:`simulator.terminal` for what people do.
"""
