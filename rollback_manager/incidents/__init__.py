"""What is said against a release, and what is known of it. Pure."""
