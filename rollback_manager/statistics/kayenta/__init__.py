"""The judge of Netflix's Kayenta, for those who bring its configurations. Start at judge.py."""
