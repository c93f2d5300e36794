"""Who may do what, and how it is proven: people, roles, the table of rights, signed decisions."""
