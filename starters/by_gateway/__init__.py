"""The command line by way of the gateway, where ROLLBACK_GATEWAY names one: no Temporal, no rights.

`plan`, `start`, `watch`, `status`, `approve`, `reject`, `abort`, what steers a rollback, `freeze`,
`unfreeze`, `releases`, `review`, `adopt` and `incident decide` go that way. All else says that
it needs Temporal, and is never sent there instead.
"""
