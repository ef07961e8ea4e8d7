"""HTTP requests to hosts that users name.

Each address is checked when it is dialled, all requests of a session share one deadline, and the size of
responses is limited.
"""
