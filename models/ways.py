"""The ways to a terminal, by the value of `viva.terminal.protocol`."""

# The gateway in the shop speaks these …
LAN = ("local", "tcp")
# … and the browser of the till opens this app on its own device. The rest is Viva's cloud, which Odoo asks itself.
APP = "app_to_app"
