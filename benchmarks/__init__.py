"""Ratios against the plain alternative, measured in one run on one machine; milliseconds alone
say more about the machine. Not in the wheel.
"""
