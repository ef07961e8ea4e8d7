"""The client of the REST API, for the console, the command line and the plugins.

`README.md` lists the public modules. Every module but `over_httpx` uses the standard library only. None
imports another package of regcred.
"""
