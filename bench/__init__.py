"""What the addon costs, beside Odoo's own `pos_viva_com` in the same run: ``./dev/bench [NAME …]``.

One Odoo with two workers and one simulator that answers after 150 ms serve both. The same steps are
measured on each side (sides.py); every module below is one group of figures. Nothing leaves the machine.
"""
