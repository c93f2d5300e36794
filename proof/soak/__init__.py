"""The soak: random rollbacks of random strategies with several faults at once, on stand-ins.

Temporal is real, the targets are in this process, with a ledger that only they write. What a seed
draws is in `drawing`; what must hold is in `oracle`.
"""
