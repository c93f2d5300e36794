"""Requests that no honest sender sends, played against a running gateway, and counted."""
