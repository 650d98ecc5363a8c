"""``viva-gateway``: runs Viva's LAN protocols in a shop for an Odoo that is elsewhere.

It only makes outgoing connections. One file per concern:

``cli``        what a person types
``config``     the one configuration file
``store``      identity and journal: one SQLite file, written before and after each touch
``pairing``    a code becomes a pair of keys
``link``       the signed call to Odoo
``hints``      Odoo's websocket: "come and ask"
``service``    the loop that brings these together
``work``       one thread per terminal: start, watch, abort
``terminals``  from Odoo's description of a terminal to a driver
``scan``       finds terminals in the shop's network, on request
``viva``       decides where the drivers come from
"""
