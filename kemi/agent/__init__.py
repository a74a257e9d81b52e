"""The roles that run beside the SIP path: sync, ship."""
