"""The pages: one module for each task, each with its routes (`install`)."""
