"""Calls to hosts that tenants name: every address checked when it is dialled, one deadline, small answers."""
