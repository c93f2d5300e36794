"""Who may do what, and how a decision is proven: people, roles, tokens. Pure."""
