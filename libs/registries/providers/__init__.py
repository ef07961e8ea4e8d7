"""The providers, one file each. `registries.catalogue` loads the `PROVIDER` of each module in this package.

Modules whose names begin with `_` contain the common parts of several providers.
"""
