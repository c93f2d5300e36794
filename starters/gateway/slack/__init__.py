"""Slack's way in: what people type and click there, each verified before anything is read.

Mounted only where a signing secret is set; otherwise these addresses answer 404.
"""
