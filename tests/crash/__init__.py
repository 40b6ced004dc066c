"""Crashes: a node under load is killed again and again, and its data checked each time.

`make crash` runs a campaign of 200 kills on one data directory, and then proves that the checks
can fail: nodes that are broken on purpose must be caught.
"""
