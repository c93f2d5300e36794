"""Processes and wiring: settings, names turned into objects, the server found or started.

Here alone the parts are put together: workflows, activities and the integrations that a catalogue
names. A mistake in what was configured stops the process at its start, where it is cheap.
"""
