"""The vendors: one file each, and the only importers of vendors' clients.

A file fulfils the protocol of one role, or of several over the same client. It maps every error of
its vendor to ours, and knows no other vendor. Which one a worker uses is decided in `workers`.
"""
