"""From facts to a plan: who goes back to what, in which steps, and what that rests on. Pure."""
