"""How fast the gateway is: measured against plain nginx in interleaved rounds, on loopback.

An absolute time on a small virtual machine means nothing; a ratio within one round does. Read in
this order: `run` (what is measured, in which order), `rounds` (how ratios are made), `scenarios`,
`verdicts` (what must hold), `report` (the page). `callgrind` is the gate of every commit.
"""
