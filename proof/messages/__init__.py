"""Random sequences of messages against an automaton that was written from the specification.

`make fuzz-messages`: Hypothesis draws them, a real server carries them to the real workflows.
"""
