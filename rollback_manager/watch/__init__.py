"""Which releases are watched, by which tests, and what those say to an incident. Pure."""
