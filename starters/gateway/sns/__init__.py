"""Amazon SNS: whether it signed a message itself, and what is asked of it for that."""
