"""The small real world that the demo rolls back: real processes, real traffic, one bad release.

It may use everything else and nothing else may use it. What a user would want in production does
not belong here but in the other folders.
"""
