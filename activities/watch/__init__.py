"""The watch of releases: looks, what they are judged by, and the alarms that come of it."""
