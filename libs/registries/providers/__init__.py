"""The providers, one file each. `registries.catalogue` takes the `PROVIDER` of every module in this package.

Modules whose names begin with `_` have what several providers share.
"""
