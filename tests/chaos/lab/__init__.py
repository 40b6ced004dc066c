"""Faults on one Linux machine: networks, machines, disks and clocks of nodes. Needs root."""
