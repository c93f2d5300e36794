"""A rolling way back beside a naive script, in the same world, with the same slow starters."""
