"""Healing of bodies: every body on as many nodes as it should be, and every copy undamaged.

`rounds` is what the worker runs; `walk` looks at all bodies that the index names, `carry` fetches
what is missing, `offers` hands over what lies in the wrong place, `leaving` copies out, `scrub`
reads what is there. `replication.core.healing` decides.
"""
