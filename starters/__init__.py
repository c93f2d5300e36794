"""Everything that starts or signals a rollback, or asks how one stands.

One file for each verb of the command line, or for a family of them. Starters see the domain alone:
they hold no credentials and import no vendor, so a CI job needs the small installation only.
"""
