"""The proof as a product: faults from outside the product's code, judged by independent witnesses.

`rollback-manager prove` runs it on the reader's own machine. Nothing here is used by a rollback.
"""
