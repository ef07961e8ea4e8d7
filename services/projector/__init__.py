"""The projector builds the read models, serves queries, and archives old rows of the audit trail."""
