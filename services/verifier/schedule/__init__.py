"""Logins at the right time: paced, held back after refusals, and tried again so that what is kept is known to
be good.
"""
