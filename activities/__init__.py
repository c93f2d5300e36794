"""The outside: whatever calls, reads a file, asks the clock or draws lots.

One file for each role that a rollback needs (traffic, workloads, metrics, …), each with the
protocol it asks of a vendor. An activity observes, compares, writes and observes again, so it may
run twice. Nothing here knows a vendor; those live in `integrations`.
"""
