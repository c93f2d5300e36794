"""The labelled sets of other people, scored: one file per set. Thresholds as they are shipped."""
