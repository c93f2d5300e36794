"""What numbers say about a release: tests that notice a bad one, and what each may claim."""
