"""The kill matrix: rollbacks in a small real world, disturbed at every step, judged from outside.

`points` says where, `worker` and `doomed` bring the fault about, `witnesses` look, `oracle` judges,
`bench` and `case` set it up, `lanes` runs many side by side.
"""
