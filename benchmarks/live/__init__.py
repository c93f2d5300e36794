"""Live: the demo's real world again and again, each time fresh, with nobody who starts anything.

`plan` draws the runs, `once` plays one in a process of its own, `evidence` reads what became of it
from the users' answers and the proxy, `series` plays them all and keeps each, `figures` sums up.
"""
