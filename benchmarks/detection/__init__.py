"""How fast a bad release is noticed, and how often a good one is blamed: world S."""
