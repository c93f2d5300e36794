"""What a CI job gets beside its log: a key of its own, annotations, a summary, outputs, files."""
