"""Whether an undo stays undone: self-heal, image updater and autoscaler, with our hold and without.

The cluster's API and controllers are real, so are the kinds of Argo CD; those who fight the undo
are stand-ins, named so.
"""
