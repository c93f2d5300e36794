"""Other tools' configurations in, a fragment of the catalogue out, and word of every line of them.

kayenta.py and argo.py read the two formats; promql.py and shapes.py read queries far enough to say
what they measure. Nothing that is read here is ever sent, run or filled in anywhere.
"""
