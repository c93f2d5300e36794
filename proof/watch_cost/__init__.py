"""What it costs to watch many releases at once."""
