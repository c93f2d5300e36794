"""The order of work: sequence, waiting, undo.

One file for each workflow, and the few objects that workflows own (control, approval, options).
All of it is deterministic: no call to the outside, no clock, no chance. A threshold, a score or a
choice does not belong here but in `rollback_manager`, called from an activity, so that history
keeps its answer.
"""
