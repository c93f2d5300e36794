"""Judges that people bring along, on readings of one minute each. Start at findings.py."""
