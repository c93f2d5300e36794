"""Attacks on the gateway's doors: forged, bent and repeated requests, of which none may count."""
