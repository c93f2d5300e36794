"""CI jobs: they sign in with the OIDC token of their own CI, and may ask, never decide."""
